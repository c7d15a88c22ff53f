"""The file that tells every client on this machine where the running stack is."""

import fcntl
import os
import shlex
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet_chassis.settings import SettingsError
from fleet_cli.stack.errors import StackError

FOLDER = Path(".fleet")
FILE = "stack.env"
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Addresses:
    """Where the parts of a running stack are; empty where a part does not exist."""

    amqp_url: str
    deepseek_base_url: str
    deepseek_api_key: str
    redis_url: str = ""
    metrics_url: str = ""

    def variables(self) -> dict[str, str]:
        """The conventional variables that lead any client to the stack."""
        return {
            "AMQP_URL": self.amqp_url,
            "REDIS_URL": self.redis_url,
            "DEEPSEEK_BASE_URL": self.deepseek_base_url,
            "DEEPSEEK_API_KEY": self.deepseek_api_key,
            "METRICS_URL": self.metrics_url,
        }


def rendered(addresses: Addresses) -> str:
    """The file's text: lines that a shell and a dotenv reader understand alike."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in addresses.variables().items())


@contextmanager
def published(addresses: Addresses, folder: Path) -> Generator[Path]:
    """Keep `stack.env` in `folder`, for the owner's eyes only, for as long as the stack runs.

    Raises StackError if another running stack has its addresses there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    with (folder / f"{FILE}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise StackError(f"another stack runs here and is told of in {file}: stop it first") from taken
        _write(file, rendered(addresses))
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "w") as out:
        out.write(text)
    draft.rename(file)


def broker_url(environ: Mapping[str, str], folder: Path = FOLDER) -> str:
    """The broker of AMQP_URL, else of the stack that runs in this folder.

    Raises:
        SettingsError: there is neither.
    """
    given = environ.get("AMQP_URL") or _read(folder / FILE).get("AMQP_URL")
    if not given:
        raise SettingsError(
            "AMQP_URL is not set and no stack runs here: start one with `make up`, or set AMQP_URL "
            "to your broker, as in AMQP_URL=amqp://user:password@host:5672/"
        )
    return given


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    pairs = (line.partition("=") for line in file.read_text().splitlines())
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}
