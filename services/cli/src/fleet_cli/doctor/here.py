"""What this machine says without asking anybody: its settings and its versions."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fleet_chassis.settings import SettingsError, read_settings
from fleet_cli.doctor.check import Check, failed, fine, warning
from fleet_worker.settings import WorkerSettings

PACKAGES = ("contracts", "chassis", "client", "worker", "simulator", "cli")


def check_settings(stack_file: Path) -> Check:
    """Whether a worker that is started here could read its settings."""
    stands = stack_file.exists()
    try:
        read_settings(WorkerSettings, stack_file if stands else None)
    except SettingsError as error:
        return failed("settings", str(error).rstrip("."))
    origin = f"the environment and {stack_file}" if stands else "the environment"
    return fine("settings", f"a worker can be set up from {origin}")


def check_versions() -> Check:
    """The fleet's own packages are of one version."""
    found = {name: _version(f"deepseek-fleet-{name}") for name in PACKAGES}
    if len(set(found.values())) == 1:
        return fine("versions", f"deepseek-fleet {found['cli']}, Python {platform.python_version()}")
    each = ", ".join(f"{name} {number}" for name, number in found.items())
    return warning("versions", f"the packages differ: {each}", "install all of them in one version")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
