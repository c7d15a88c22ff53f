"""Valkey 8 on a Debian that has none: the packages of Debian 13, which run with their own C library."""

import platform
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fleet_cli.stack.apt import Apt
from fleet_cli.stack.command import run
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.packages import Bundle, unpacked_packages
from fleet_cli.stack.report import Report
from fleet_cli.stack.store.installation import Installation
from fleet_cli.stack.store.private import private_store
from fleet_cli.stack.store.store import Store

RELEASE = "trixie"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PROGRAM = "valkey-server"
# Named one by one: all that they depend on would be half an operating system.
PACKAGES = (
    *(PROGRAM, "valkey-tools"),
    *("libc6", "libgcc-s1", "libstdc++6", "libatomic1"),
    *("libcap2", "libjemalloc2", "liblzf1", "libssl3t64", "libsystemd0", "libzstd1", "zlib1g"),
)
ASK_DEADLINE_S = 20.0


class OtherRelease(Apt):
    """apt for another release of Debian, from the mirror that this machine uses already."""

    def __init__(self, folder: Path, environ: Mapping[str, str], mirror: str) -> None:
        super().__init__(folder, environ)
        (folder / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror} {RELEASE} main\n")
        (folder / "status").touch()
        with self._settings.open("a") as settings:
            settings.write(f'Dir::Etc::sourcelist "{folder}/sources.list";\n')
            settings.write('Dir::Etc::sourceparts "-";\n')
            settings.write(f'Dir::State::status "{folder}/status";\n')


@dataclass(frozen=True)
class ValkeyBundle(Bundle):
    title: str = "Valkey"
    package: str = PROGRAM
    megabytes: int = 20

    def folder(self, cache_dir: Path) -> Path:
        return cache_dir / f"valkey-{RELEASE}-{platform.machine()}"

    async def fetch(self, folder: Path, environ: Mapping[str, str]) -> list[Path]:
        apt = OtherRelease(folder / "apt", environ, await _mirror(environ))
        await apt.update()
        return await apt.download(list(PACKAGES), folder / "packages")


@asynccontextmanager
async def unpacked_valkey(
    report: Report, environ: Mapping[str, str], cache_dir: Path, *, appendonly: bool
) -> AsyncGenerator[Store]:
    """A private Valkey of Debian 13's; raises UnavailableError where this machine is no Debian."""
    _require_keys()
    root = await unpacked_packages(ValkeyBundle(), report, environ=environ, cache_dir=cache_dir)
    async with private_store(with_own_loader(root), cache_dir, appendonly=appendonly) as store:
        yield store


def with_own_loader(root: Path) -> Installation:
    """The program below `root`, started by the loader that belongs to its C library."""
    libraries = next(iter(root.glob("usr/lib/*-linux-*")), None)
    loader = None if libraries is None else next(iter(libraries.glob("ld-linux*")), None)
    if loader is None:
        raise UnavailableError(f"no loader in {root}")
    program = root / "usr/bin" / PROGRAM
    command = (str(loader), "--library-path", str(libraries), "--argv0", PROGRAM, str(program))
    return Installation(command)


def _require_keys() -> None:
    if not KEYS.exists():
        raise UnavailableError(f"this machine has no {KEYS} to check Debian's packages with")


async def _mirror(environ: Mapping[str, str]) -> str:
    listing = ("apt-get", "indextargets", "--format", "$(REPO_URI)")
    known = (await run(listing, environ=environ, deadline_s=ASK_DEADLINE_S)).split()
    mirrors = [uri for uri in known if urlsplit(uri).path.strip("/").endswith("debian")]
    if not mirrors:
        raise StackError("this machine knows no mirror of Debian")
    return mirrors[0]
