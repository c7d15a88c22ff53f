"""RabbitMQ of a generation that this machine's own packages are not of."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fleet_cli.stack.errors import UnavailableError
from fleet_cli.stack.packages import unpacked_packages
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.rabbitmq.installation import Installation, installed, unpacked
from fleet_cli.stack.rabbitmq.packages import RABBITMQ
from fleet_cli.stack.rabbitmq.private import private_broker
from fleet_cli.stack.rabbitmq.sources import local_broker, sources
from fleet_cli.stack.report import Report
from fleet_cli.stack.sources import Source, first_available
from harness.debian import OtherBundle, loader_in, unpacked_bundle

CHOICE = "FLEET_TEST_BROKER"
"""The variable that says on which generation a run's tests stand; without it, on what the stack finds."""

NEWEST = "4"
RELEASES = {"4.0": "trixie", NEWEST: "forky"}
"""Debian's releases by the generation that they package; 4 is the newest one that Debian has."""
HERE = "here"
"""The choice of what is installed here, or else unpacked, though a Docker engine answers: in a container, a
broker sees no file of this machine, as tests of TLS need it."""
IN_A_CONTAINER = "in a container"

ELF = b"\x7fELF"
BEHIND = ".elf"
WRAPPER = """\
#!/bin/sh
exec {loader} "$0" "$0{behind}" "$@"
"""


@dataclass(frozen=True, kw_only=True)
class OtherRabbitMQ(OtherBundle):
    """RabbitMQ and its Erlang."""

    title: str = "RabbitMQ"
    package: str = RABBITMQ.package
    megabytes: int = RABBITMQ.megabytes
    always: str = RABBITMQ.always
    needs: tuple[str, ...] = (
        *("libc6", "libgcc-s1", "libstdc++6"),
        *("libcap2", "libssl3t64", "libsystemd0", "libtinfo6", "zlib1g"),
    )

    def settle(self, root: Path, final: Path) -> None:
        """Put a script before each program of Erlang, which start one another and know only their names."""
        RABBITMQ.settle(root, final)
        loader = " ".join(loader_in(root)).replace(str(root), str(final))
        for program in _programs(root / "usr/lib/erlang"):
            mode = program.stat().st_mode
            program.rename(program.with_name(program.name + BEHIND))
            program.write_text(WRAPPER.format(loader=loader, behind=BEHIND))
            program.chmod(mode)


def chosen_generation(environ: Mapping[str, str]) -> str:
    """What the run's CHOICE names, or nothing."""
    generation = environ.get(CHOICE, "")
    if generation not in {"", HERE, *RELEASES}:
        choices = " or ".join((*RELEASES, HERE))
        raise ValueError(f"{CHOICE} is {generation!r}: set it to {choices}, or unset it")
    return generation


def a_broker(
    environ: Mapping[str, str], generation: str, report: Report = print
) -> AbstractAsyncContextManager[Broker]:
    """A broker of this generation, or what the stack finds for none. Raises UnavailableError."""
    where = cache_dir(environ)
    if generation == HERE:
        ways = [way for way in sources(report, environ, where, None) if way.name != IN_A_CONTAINER]
        return first_available(
            ways, report, nothing="no RabbitMQ can be had here but in a container: {tried}"
        )
    if generation:
        release = RELEASES[generation]
        way = Source(f"of Debian {release}", lambda: _unpacked(release, report, environ, where))
        return first_available([way], report, nothing=f"no RabbitMQ {generation} can be had here: {{tried}}")
    return local_broker(report, environ=environ, cache_dir=where)


async def an_installation(environ: Mapping[str, str], where: Path, report: Report = print) -> Installation:
    """The RabbitMQ of the run's choice, or of this machine, as folders. Raises UnavailableError."""
    if release := RELEASES.get(chosen_generation(environ)):
        return await _other(release, report, environ, where)
    try:
        return installed(environ)
    except UnavailableError:
        root = await unpacked_packages(RABBITMQ, report, environ=environ, cache_dir=where)
        return unpacked(root)


@asynccontextmanager
async def _unpacked(
    release: str, report: Report, environ: Mapping[str, str], where: Path
) -> AsyncGenerator[Broker]:
    installation = await _other(release, report, environ, where)
    async with private_broker(installation, environ, where, None) as broker:
        yield broker


async def _other(release: str, report: Report, environ: Mapping[str, str], where: Path) -> Installation:
    bundle = OtherRabbitMQ(release=release)
    root = await unpacked_bundle(bundle, report, environ=environ, cache_dir=where)
    # Its libraries are for its own programs, which are told: the system's shell would not start with them.
    return replace(unpacked(root), libraries=())


def _programs(erlang: Path) -> list[Path]:
    files = (path for path in erlang.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if path.stat().st_mode & 0o111 and _is_elf(path)]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF)) == ELF
