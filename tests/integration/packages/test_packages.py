"""The packages as they are published: built, installed into an empty environment, and used there."""

import json
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

from harness.packages import (
    PREFIX,
    ROOT,
    CommandError,
    Packages,
    copy_of_the_workspace,
    metadata_of,
    pins_of,
    ran,
)

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(240)]

MEMBERS = ("contracts", "chassis", "client", "worker", "simulator", "cli")
CLIENT_GETS = {
    *("aio-pika", "aiormq", "pamqp", "yarl", "multidict", "propcache", "idna", "orjson"),
    *("pydantic", "pydantic-core", "annotated-types", "typing-extensions", "typing-inspection"),
    *(f"{PREFIX}client", f"{PREFIX}contracts"),
}
EXTRAS = {"worker": ["tracing"]}
KEY = "sk-simulator"
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys

package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
FOOTPRINT = """
import importlib.metadata, json, sys
import fleet_client

installed = [distribution.name for distribution in importlib.metadata.distributions()]
print(json.dumps([installed, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return Packages(tmp_path_factory.mktemp("dist"))


def version() -> str:
    return ran(ROOT / ".ci/version").strip()


@contextmanager
def started(*command: str | Path) -> Generator[str]:
    """The first line of a command that runs until it is ended."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_every_member_is_built_in_the_one_version_and_needs_the_others_at_it(packages: Packages):
    assert set(packages.wheels) == set(MEMBERS)
    for wheel in packages.wheels.values():
        assert metadata_of(wheel)["Version"] == version()
        assert set(pins_of(wheel).values()) <= {version()}
    assert packages.needed_by("client") == {"client", "contracts"}
    assert packages.needed_by("cli") == set(MEMBERS)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_wheel_is_typed_and_holds_its_own_package_alone(packages: Packages, member: str):
    with ZipFile(packages.wheels[member]) as archive:
        names = archive.namelist()
    assert f"fleet_{member}/py.typed" in names
    folders = {name.partition("/")[0] for name in names}
    assert folders == {f"fleet_{member}", f"deepseek_fleet_{member}-{version()}.dist-info"}


@pytest.mark.parametrize("member", ["contracts", "chassis", "worker"])
def test_a_package_is_whole_without_the_rest_of_the_workspace(
    packages: Packages, member: str, tmp_path: Path
):
    python = packages.install(member, tmp_path, *EXTRAS.get(member, ())) / "python"
    ran(python, "-I", "-W", "error", "-c", IMPORT_EVERYTHING, f"fleet_{member}", cwd=tmp_path)


def test_a_backend_that_installs_the_client_gets_few_packages_and_loads_no_others(
    packages: Packages, tmp_path: Path
):
    python = packages.install("client", tmp_path) / "python"
    installed, loaded = json.loads(ran(python, "-I", "-W", "error", "-c", FOOTPRINT, cwd=tmp_path))
    assert {name.lower().replace("_", "-") for name in installed} == CLIENT_GETS
    assert {name for name in loaded if name.startswith("fleet_")} == {"fleet_client", "fleet_contracts"}


def test_the_simulator_alone_is_started_and_asked(packages: Packages, tmp_path: Path):
    python = packages.install("simulator", tmp_path) / "python"
    with started(python, "-I", "-m", "fleet_simulator", "--speed", "1000") as first_line:
        url = first_line.split()[-1]
        body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310 - what the simulator printed
            completion = json.load(answer)
    assert completion["choices"][0]["message"]["content"]


def test_the_command_line_works_under_both_names_and_finds_its_parts(packages: Packages, tmp_path: Path):
    folder = packages.install("cli", tmp_path)
    for name in ("fleet", "deepseek-fleet"):
        assert ran(folder / name, "--version", cwd=tmp_path) == f"fleet {version()}\n"
    assert "Run DeepSeek workers" in ran(folder / "fleet", "--help", cwd=tmp_path)
    assert ran(folder / "fleet", "help", cwd=tmp_path) == (ROOT / "services/cli/HELP.md").read_text()
    assert ran(folder / "fleet", "settings", cwd=tmp_path) == (ROOT / "deploy/SETTINGS.md").read_text()
    shown = json.loads(ran(folder / "fleet", "topology", "show", cwd=tmp_path))
    assert shown == json.loads((ROOT / "contracts/definitions.json").read_text())
    with pytest.raises(CommandError, match="AMQP_URL is not set"):
        ran(folder / "fleet", "worker", cwd=tmp_path)
    with started(folder / "fleet", "simulator") as first_line:
        assert "http://127.0.0.1:" in first_line


def test_setting_the_version_moves_every_package_and_what_they_need_of_each_other(tmp_path: Path):
    workspace = copy_of_the_workspace(tmp_path)
    before, now = {path: path.read_text() for path in workspace.rglob("pyproject.toml")}, version()
    ran(workspace / ".ci/version", "9.8.7", cwd=workspace)
    assert ran(workspace / ".ci/version", cwd=workspace) == "9.8.7\n"
    for path, text in before.items():
        assert path.read_text() == text.replace(f'"{now}"', '"9.8.7"').replace(f'=={now}"', '==9.8.7"')
    assert (workspace / "uv.lock").read_text().count('version = "9.8.7"') == len(before)


@pytest.mark.parametrize("wrong", ["", "2", "next", "1.2.3/x", "1.2.3 "])
def test_what_is_no_version_is_refused_and_changes_nothing(tmp_path: Path, wrong: str):
    workspace = copy_of_the_workspace(tmp_path)
    with pytest.raises(CommandError, match=r"is no version: write it as in '\.ci/version 0\.2\.0'"):
        ran(workspace / ".ci/version", wrong, cwd=workspace)
    assert ran(workspace / ".ci/version", cwd=workspace).strip() == version()
