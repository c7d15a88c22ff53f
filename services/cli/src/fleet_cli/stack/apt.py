"""The distribution's package tool, used without root and without touching the system's own state.

Only its lists and downloads are private: the system's sources, keys, proxies and the list of what is
installed are read as they are (apt.conf(5)).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from fleet_cli.stack.command import run

UPDATE_DEADLINE_S = 180.0
RESOLVE_DEADLINE_S = 60.0
DOWNLOAD_DEADLINE_S = 600.0

INSTALLS = re.compile(r"^Inst (\S+) (\[)?", re.MULTILINE)
DEPENDS = re.compile(r"^([a-z0-9][a-z0-9.+-]+)$", re.MULTILINE)
ONLY_NEEDED = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")


class Apt:
    """apt with all that it writes below `folder`."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {**environ, "LC_ALL": "C"}
        self._settings = folder / "apt.conf"
        for needed in ("lists/partial", "archives/partial"):
            (folder / needed).mkdir(parents=True, exist_ok=True)
        self._settings.write_text(configuration(folder))

    async def update(self) -> None:
        """Fetch the lists of packages; a source that does not answer is left out."""
        await self._run("apt-get", "update", deadline_s=UPDATE_DEADLINE_S)

    async def missing(self, package: str) -> list[str]:
        """The packages that `package` needs and this machine does not have, itself among them."""
        simulated = await self._run(
            "apt-get",
            "install",
            "--simulate",
            "--no-install-recommends",
            package,
            deadline_s=RESOLVE_DEADLINE_S,
        )
        return new_packages(simulated)

    async def needed(self, package: str) -> list[str]:
        """Every package that `package` needs, whether this machine has it or not."""
        leave_out = [f"--no-{relation}" for relation in ONLY_NEEDED]
        listed = await self._run(
            "apt-cache", "depends", "--recurse", *leave_out, package, deadline_s=RESOLVE_DEADLINE_S
        )
        return DEPENDS.findall(listed)

    async def download(self, packages: list[str], target: Path) -> list[Path]:
        """Fetch `packages`, checked against the signed lists, into the folder `target`; their files."""
        await self._run("apt-get", "download", *packages, deadline_s=DOWNLOAD_DEADLINE_S, folder=target)
        return _packages_in(target)

    async def _run(self, tool: str, *arguments: str, deadline_s: float, folder: Path | None = None) -> str:
        command = (tool, "--config-file", str(self._settings), "--quiet", *arguments)
        return await run(command, environ=self._environ, deadline_s=deadline_s, folder=folder)


def _packages_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.deb"))


def configuration(folder: Path) -> str:
    """The settings laid over the system's own."""
    return f"""\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{folder}";
Dir::State::Lists "{folder}/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
APT::Sandbox::User "root";
APT::Get::List-Cleanup "false";
Debug::NoLocking "true";
"""


def new_packages(simulated: str) -> list[str]:
    """The packages in the output of a simulated install that are not on the machine in any version.

    Newer versions of what it has are left out: a second libc beside the system's loader would not start.
    """
    return [name for name, older in INSTALLS.findall(simulated) if not older]
