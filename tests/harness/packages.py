"""The built packages, and environments that hold one of them and what it needs."""

import shutil
import subprocess
import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / ".ci/bootstrap"
PREFIX = "deepseek-fleet-"
DEADLINE_S = 120


class CommandError(Exception):
    """A command failed; the message is what it said."""


def ran(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints; raises CommandError where it fails."""
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if ended.returncode:
        raise CommandError(f"{command}: {ended.stdout}{ended.stderr}")
    return ended.stdout


def metadata_of(wheel: Path) -> Message:
    """The METADATA of a wheel (Core metadata specification)."""
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def pins_of(wheel: Path) -> dict[str, str]:
    """The members that a wheel needs directly, and the versions that it pins them to."""
    requirements: list[str] = metadata_of(wheel).get_all("Requires-Dist", [])
    ours = (each.removeprefix(PREFIX).partition("==") for each in requirements if _is_needed(each))
    return {member: version for member, _, version in ours}


def _is_needed(requirement: str) -> bool:
    return requirement.startswith(PREFIX) and "extra ==" not in requirement


class Packages:
    """Every package of the workspace, built."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ran(BOOTSTRAP, "build", "--all-packages", "--quiet", "--offline", "--out-dir", folder)
        self.wheels = {path.name.split("-")[0].rpartition("_")[2]: path for path in folder.glob("*.whl")}

    def needed_by(self, member: str) -> set[str]:
        """The members that `member` needs, itself included."""
        return {member}.union(*(self.needed_by(each) for each in pins_of(self.wheels[member])))

    def install(self, member: str, folder: Path, *extras: str) -> Path:
        """The `bin` of a fresh environment with `member` and, in the locked versions, what it needs.

        `extras`: of what it can do more with.
        """
        lock = folder / "pylock.toml"
        environment = folder / member
        third_parties = ("--frozen", "--no-dev", "--no-emit-workspace", "--package", f"{PREFIX}{member}")
        third_parties += tuple(f"--extra={extra}" for extra in extras)
        ran(BOOTSTRAP, "export", "--quiet", *third_parties, "--format", "pylock.toml", "--output-file", lock)
        ran(BOOTSTRAP, "venv", "--quiet", "--python", sys.executable, environment)
        self._fill(environment, "sync", "--preview-features", "pylock", lock)
        wheels = [self.wheels[each] for each in sorted(self.needed_by(member))]
        self._fill(environment, "install", "--no-deps", *wheels)
        ran(BOOTSTRAP, "pip", "check", "--quiet", "--python", environment)
        return environment / "bin"

    @staticmethod
    def _fill(environment: Path, *command: str | Path) -> None:
        into = ("pip", *command, "--quiet", "--python", environment)
        try:
            ran(BOOTSTRAP, *into, "--offline")
        except CommandError:  # the cache does not hold them all
            ran(BOOTSTRAP, *into)


def copy_of_the_workspace(folder: Path) -> Path:
    """What the version is written in, apart from the sources."""
    for path in (
        ROOT / "pyproject.toml",
        ROOT / "contracts/pyproject.toml",
        *ROOT.glob("services/*/pyproject.toml"),
    ):
        copied = folder / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    shutil.copy(ROOT / "uv.lock", folder)
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    return folder
