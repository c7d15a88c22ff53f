"""Programs of another release of Debian: its signed packages, unpacked, run with their own C library."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fleet_cli.stack.apt import Apt
from fleet_cli.stack.command import run
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.packages import Bundle, unpacked_packages
from fleet_cli.stack.report import Report

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ASK_DEADLINE_S = 20.0


class OtherRelease(Apt):
    """apt for another release of Debian, from the mirror that this machine uses already."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, mirror: str, release: str) -> None:
        super().__init__(folder, environ)
        (folder / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror} {release} main\n")
        (folder / "status").touch()
        with self._settings.open("a") as settings:
            settings.write(f'Dir::Etc::sourcelist "{folder}/sources.list";\n')
            settings.write('Dir::Etc::sourceparts "-";\n')
            settings.write(f'Dir::State::status "{folder}/status";\n')


@dataclass(frozen=True, kw_only=True)
class OtherBundle(Bundle):
    """A package of another release, with what it needs to run here."""

    release: str
    """Debian's code name for it."""
    needs: tuple[str, ...]
    """Named one by one: all that a package depends on would be half an operating system."""

    def folder(self, cache_dir: Path) -> Path:
        """Where it lies once it is unpacked."""
        return cache_dir / f"{self.title.lower()}-{self.release}-{platform.machine()}"

    async def fetch(self, folder: Path, environ: Mapping[str, str]) -> list[Path]:
        """Fetch the packages into `folder`; their files. Raises StackError where that fails."""
        mirror = await _mirror(environ)
        apt = OtherRelease(folder / "apt", environ, mirror=mirror, release=self.release)
        await apt.update()
        wanted = {self.package, *self.needs}
        if self.always:
            wanted |= {name for name in await apt.needed(self.package) if name.startswith(self.always)}
        return await apt.download(sorted(wanted), folder / "packages")


async def unpacked_bundle(
    bundle: OtherBundle, report: Report, *, environ: Mapping[str, str], cache_dir: Path
) -> Path:
    """The folder with the bundle's packages; raises UnavailableError where this machine is no Debian."""
    _require_keys()
    return await unpacked_packages(bundle, report, environ=environ, cache_dir=cache_dir)


def loader_in(root: Path) -> tuple[str, ...]:
    """How to start a program below `root` by the loader of its own C library: its name and place follow."""
    libraries = next(iter(root.glob("usr/lib/*-linux-*")), None)
    loader = None if libraries is None else next(iter(libraries.glob("ld-linux*")), None)
    if loader is None:
        raise UnavailableError(f"no loader in {root}")
    return (str(loader), "--library-path", str(libraries), "--argv0")


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
