"""Where a RabbitMQ and its Erlang lie on this machine."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet_cli.stack.errors import UnavailableError

SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
SERVER_FOLDERS = "usr/lib/rabbitmq/lib/rabbitmq_server-*"


@dataclass(frozen=True)
class Installation:
    """The folders of one RabbitMQ: its home with `sbin` and `plugins`, its Erlang, its libraries."""

    home: Path
    erlang: Path
    libraries: tuple[Path, ...] = ()

    @property
    def epmd(self) -> Path:
        """Erlang's port mapper."""
        return self._runtime_program("epmd")

    @property
    def erl_call(self) -> Path:
        """Erlang's small caller: it takes milliseconds, where rabbitmqctl takes half a second."""
        return self._runtime_program("erl_call")

    def _runtime_program(self, name: str) -> Path:
        return _first(self.erlang.glob(f"erts-*/bin/{name}"), f"the Erlang in {self.erlang} has no {name}")


def installed(environ: Mapping[str, str]) -> Installation:
    """The RabbitMQ installed on this machine; raises UnavailableError where there is none."""
    path = f"{environ.get('PATH', '')}:{SYSTEM_FOLDERS}"
    return Installation(home=_home(path), erlang=_erlang(path))


def unpacked(root: Path) -> Installation:
    """The RabbitMQ whose packages were unpacked below `root`."""
    homes = root.glob(SERVER_FOLDERS)
    libraries = (*root.glob("usr/lib/*-linux-*"), *root.glob("lib/*-linux-*"))
    return Installation(
        home=_first(homes, f"no RabbitMQ in {root}"), erlang=root / "usr/lib/erlang", libraries=libraries
    )


def _home(path: str) -> Path:
    # Debian's /usr/sbin/rabbitmq-server insists on the rabbitmq user; the script behind it runs as anybody.
    debian = next(Path("/").glob(SERVER_FOLDERS), None)
    if debian is not None:
        return debian
    script = shutil.which("rabbitmq-server", path=path)
    if script is None:
        raise UnavailableError("rabbitmq-server is not installed")
    return Path(script).resolve().parent.parent


def _erlang(path: str) -> Path:
    erl = shutil.which("erl", path=path)
    if erl is None:
        raise UnavailableError("rabbitmq-server is installed, but not the erl that it needs")
    return Path(erl).resolve().parent.parent


def _first(candidates: Iterator[Path], complaint: str) -> Path:
    found = next(iter(sorted(candidates)), None)
    if found is None:
        raise UnavailableError(complaint)
    return found
