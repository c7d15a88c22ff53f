"""RabbitMQ from the distribution's own packages, unpacked without root into the cache, once for all runs."""

import asyncio
import fcntl
import platform
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO

from fleet_cli.stack.command import run
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.rabbitmq.apt import Apt
from fleet_cli.stack.report import Report, Stopwatch

PACKAGE = "rabbitmq-server"
TRIES = 3
PAUSE_S = 2.0
LOCK_DEADLINE_S = 900.0
LOCK_PAUSE_S = 0.2
UNPACK_DEADLINE_S = 60.0
HARD_CODED = "=/usr/lib/erlang"


async def unpacked_packages(report: Report, *, environ: Mapping[str, str], cache_dir: Path) -> Path:
    """The folder with RabbitMQ and all that it needs and the machine lacks.

    It appears in one step, so that a killed run leaves nothing half done; one run at a time fills it.
    Raises UnavailableError where there are no Debian packages or no way to fetch them.
    """
    _require_tools(environ)
    root = cache_dir / f"rabbitmq-{system_name()}"
    if not _is_filled(root):
        async with _lock(root, report):
            if not _is_filled(root):
                await _fill(root, report, environ)
    return root


async def _fill(root: Path, report: Report, environ: Mapping[str, str]) -> None:
    report("RabbitMQ: fetching the distribution's packages (about 50 MB, once, without root)")
    watch = Stopwatch()
    with _workplace(root) as workplace:
        packages = await _fetch(workplace, report, environ)
        for package in packages:
            command = ("dpkg", "-x", str(package), str(workplace / "root"))
            await run(command, environ=environ, deadline_s=UNPACK_DEADLINE_S)
        _settle_erlang(workplace / "root", root)
        (workplace / "root").rename(root)
    report(f"RabbitMQ: {len(packages)} packages unpacked into {root} in {watch}")


async def _fetch(workplace: Path, report: Report, environ: Mapping[str, str]) -> list[Path]:
    for attempt in range(1, TRIES):
        try:
            return await _try_to_fetch(workplace, environ)
        except StackError as trouble:
            report(f"RabbitMQ: fetching the packages failed, trying again ({trouble})")
            await asyncio.sleep(PAUSE_S * attempt)
    try:
        return await _try_to_fetch(workplace, environ)
    except StackError as trouble:
        raise UnavailableError(f"the packages of RabbitMQ could not be fetched ({trouble})") from trouble


async def _try_to_fetch(workplace: Path, environ: Mapping[str, str]) -> list[Path]:
    apt = Apt(workplace / "apt", environ)
    await apt.update()
    # An Erlang of the system's is fetched again: it looks for its parts only in its own folder.
    erlang = [name for name in await apt.needed(PACKAGE) if name.startswith("erlang-")]
    wanted = {PACKAGE, *erlang, *await apt.missing(PACKAGE)}
    return await apt.download(sorted(wanted), workplace / "packages")


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


def _settle_erlang(root: Path, final: Path) -> None:
    """Debian writes Erlang's place into its start scripts; tell them the place where they will be."""
    erlang = root / "usr/lib/erlang"
    for script in (*erlang.glob("bin/erl"), *erlang.glob("erts-*/bin/erl")):
        script.write_text(script.read_text().replace(HARD_CODED, f"={final}/usr/lib/erlang"))


def _require_tools(environ: Mapping[str, str]) -> None:
    for tool in ("apt-get", "apt-cache", "dpkg"):
        if shutil.which(tool, path=environ.get("PATH")) is None:
            raise UnavailableError(f"there is no {tool} here to fetch packages with")


def system_name() -> str:
    """The distribution, its version and the kind of machine: packages of one do not run on another."""
    release = platform.freedesktop_os_release()
    return f"{release['ID']}-{release.get('VERSION_ID', 'rolling')}-{platform.machine()}"


@asynccontextmanager
async def _lock(root: Path, report: Report) -> AsyncGenerator[None]:
    with _lock_file(root) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("RabbitMQ: another run is fetching the packages, waiting for it")
            await _wait_for_lock(file.fileno())
        yield


def _lock_file(root: Path) -> IO[str]:
    root.parent.mkdir(parents=True, exist_ok=True)
    return (root.parent / f"{root.name}.lock").open("w")


async def _wait_for_lock(file: int) -> None:
    try:
        async with asyncio.timeout(LOCK_DEADLINE_S):
            while not _locked(file):  # noqa: ASYNC110 - a wait for the kernel's word could not be cancelled
                await asyncio.sleep(LOCK_PAUSE_S)
    except TimeoutError as late:
        raise UnavailableError(
            "another run has been fetching the packages of RabbitMQ for too long"
        ) from late


def _locked(file: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
