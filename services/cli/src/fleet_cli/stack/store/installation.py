"""Where a Valkey or Redis lies on this machine, and which one it is."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet_cli.stack.command import run
from fleet_cli.stack.errors import UnavailableError

PROGRAMS = ("valkey-server", "redis-server")
SYSTEM_FOLDERS = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin:/opt/homebrew/bin"
LEAST_MAJOR = 7
VERSION_DEADLINE_S = 10.0
VERSION = re.compile(r"^(Redis|Valkey) server v=((\d+)\.\S+)")


@dataclass(frozen=True)
class Installation:
    """How to run one store's program: the words that start it, and the folders of its libraries."""

    command: tuple[str, ...]
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        """The whole environment of the program; nothing of the caller's own leaks in."""
        settings = {"LC_ALL": "C.UTF-8"}
        if self.libraries:
            settings["LD_LIBRARY_PATH"] = ":".join(map(str, self.libraries))
        return settings

    async def label(self) -> str:
        """Product and version; raises UnavailableError where it does not run or is too old."""
        said = await run(
            (*self.command, "--version"), environ=self.environment(), deadline_s=VERSION_DEADLINE_S
        )
        known = VERSION.match(said)
        if known is None:
            raise UnavailableError(f"{self.command[-1]} is neither Redis nor Valkey")
        product, version, major = known.groups()
        if int(major) < LEAST_MAJOR:
            raise UnavailableError(f"{product} {version} is too old: the fleet needs {product} {LEAST_MAJOR}")
        return f"{product} {version}"


def installed(environ: Mapping[str, str], programs: Sequence[str] = PROGRAMS) -> Installation:
    """The first of these programs on this machine; raises UnavailableError where there is none."""
    path = f"{environ.get('PATH', '')}:{SYSTEM_FOLDERS}"
    for name in programs:
        if program := shutil.which(name, path=path):
            return Installation((program,))
    raise UnavailableError(f"{' or '.join(programs)} is not installed")


def unpacked(root: Path) -> Installation:
    """The store's program whose packages were unpacked below `root`."""
    libraries = (*root.glob("usr/lib/*-linux-*"), *root.glob("lib/*-linux-*"))
    for name in PROGRAMS:
        if (program := root / "usr/bin" / name).exists():
            return Installation((str(program),), libraries)
    raise UnavailableError(f"no store's program in {root}")
