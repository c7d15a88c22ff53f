"""The distribution's own packages, unpacked without root into the cache, once for all runs."""

import asyncio
import fcntl
import platform
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fleet_cli.stack.apt import Apt
from fleet_cli.stack.command import run
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.report import Report, Stopwatch

TRIES = 3
PAUSE_S = 2.0
LOCK_DEADLINE_S = 900.0
LOCK_PAUSE_S = 0.2
UNPACK_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Bundle:
    """A package that is unpacked with all that it needs and the machine lacks."""

    title: str
    """What it is, for people."""
    package: str
    megabytes: int
    """About how much is fetched."""
    always: str = ""
    """Needed packages whose names start so are fetched even where the machine has them."""

    def folder(self, cache_dir: Path) -> Path:
        """Where it lies once it is unpacked."""
        return cache_dir / f"{self.title.lower()}-{system_name()}"

    async def fetch(self, folder: Path, environ: Mapping[str, str]) -> list[Path]:
        """Fetch the packages into `folder`; their files. Raises StackError where that fails."""
        apt = Apt(folder / "apt", environ)
        await apt.update()
        wanted = {self.package, *await apt.missing(self.package)}
        if self.always:
            wanted |= {name for name in await apt.needed(self.package) if name.startswith(self.always)}
        return await apt.download(sorted(wanted), folder / "packages")

    def settle(self, root: Path, final: Path) -> None:
        """Make what lies in `root` fit for the place `final`, to which it is moved next."""


async def unpacked_packages(
    bundle: Bundle, report: Report, *, environ: Mapping[str, str], cache_dir: Path
) -> Path:
    """The folder with the bundle's package and all that it needs and the machine lacks.

    It appears in one step, so that a killed run leaves nothing half done; one run at a time fills it.
    Raises UnavailableError where there are no Debian packages or no way to fetch them.
    """
    _require_tools(environ)
    root = bundle.folder(cache_dir)
    if not _is_filled(root):
        async with _lock(bundle, root, report):
            if not _is_filled(root):
                await _fill(bundle, root, report, environ)
    return root


async def _fill(bundle: Bundle, root: Path, report: Report, environ: Mapping[str, str]) -> None:
    size = f"about {bundle.megabytes} MB, once, without root"
    report(f"{bundle.title}: fetching the distribution's packages ({size})")
    watch = Stopwatch()
    with _workplace(root) as workplace:
        packages = await _fetch(bundle, workplace, report, environ)
        for package in packages:
            command = ("dpkg", "-x", str(package), str(workplace / "root"))
            await run(command, environ=environ, deadline_s=UNPACK_DEADLINE_S)
        bundle.settle(workplace / "root", root)
        (workplace / "root").rename(root)
    report(f"{bundle.title}: {len(packages)} packages unpacked into {root} in {watch}")


async def _fetch(bundle: Bundle, workplace: Path, report: Report, environ: Mapping[str, str]) -> list[Path]:
    for attempt in range(1, TRIES):
        try:
            return await bundle.fetch(workplace, environ)
        except StackError as trouble:
            report(f"{bundle.title}: fetching the packages failed, trying again ({trouble})")
            await asyncio.sleep(PAUSE_S * attempt)
    try:
        return await bundle.fetch(workplace, environ)
    except StackError as trouble:
        raise UnavailableError(
            f"the packages of {bundle.title} could not be fetched ({trouble})"
        ) from trouble


def _is_filled(root: Path) -> bool:
    return root.is_dir()


@contextmanager
def _workplace(root: Path) -> Generator[Path]:
    for leftover in root.parent.glob(f"{root.name}.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    workplace = Path(tempfile.mkdtemp(prefix=f"{root.name}.new-", dir=root.parent))
    (workplace / "packages").mkdir()
    try:
        yield workplace
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _require_tools(environ: Mapping[str, str]) -> None:
    for tool in ("apt-get", "apt-cache", "dpkg"):
        if shutil.which(tool, path=environ.get("PATH")) is None:
            raise UnavailableError(f"there is no {tool} here to fetch packages with")


def system_name() -> str:
    """The distribution, its version and the kind of machine: packages of one do not run on another."""
    release = platform.freedesktop_os_release()
    return f"{release['ID']}-{release.get('VERSION_ID', 'rolling')}-{platform.machine()}"


@asynccontextmanager
async def _lock(bundle: Bundle, root: Path, report: Report) -> AsyncGenerator[None]:
    with _lock_file(root) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"{bundle.title}: another run is fetching the packages, waiting for it")
            await _wait_for_lock(bundle, file.fileno())
        yield


def _lock_file(root: Path) -> IO[str]:
    root.parent.mkdir(parents=True, exist_ok=True)
    return (root.parent / f"{root.name}.lock").open("w")


async def _wait_for_lock(bundle: Bundle, file: int) -> None:
    try:
        async with asyncio.timeout(LOCK_DEADLINE_S):
            while not _locked(file):  # noqa: ASYNC110 - a wait for the kernel's word could not be cancelled
                await asyncio.sleep(LOCK_PAUSE_S)
    except TimeoutError as late:
        raise UnavailableError(
            f"another run has been fetching the packages of {bundle.title} for too long"
        ) from late


def _locked(file: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
