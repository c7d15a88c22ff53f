"""The file that tells every client on this machine where the running stack is."""

import fcntl
import os
import shlex
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet_cli.amqp_url import EXAMPLE, place_of
from fleet_cli.stack.errors import StackError
from fleet_cli.wrong_input import WrongInputError

FOLDER = Path(".fleet")
FILE = "stack.env"
OWNER_ONLY = 0o600
DEFAULT_NAMESPACE = "fleet"
"""As a worker's setting has it."""
TOGETHER = (("AMQP_URL",), ("DEEPSEEK_BASE_URL", "DEEPSEEK_API_KEY"), ("REDIS_URL",), ("METRICS_URL",))


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


def addressed(environ: Mapping[str, str], folder: Path = FOLDER) -> dict[str, str]:
    """The conventional variables, from the environment or else of the stack that runs in this folder.

    An upstream's address and key come from one place, so that no key goes to somebody else's address.

    Raises:
        WrongInputError: the stack's file can't be read.
    """
    stack = _read(folder / FILE)
    found: dict[str, str] = {}
    for together in TOGETHER:
        origin = environ if any(environ.get(name) for name in together) else stack
        found |= {name: origin.get(name, "") for name in together}
    return found


def namespace_of(environ: Mapping[str, str]) -> str:
    """What the keys of the fleet's store begin with."""
    return environ.get("FLEET_NAMESPACE") or DEFAULT_NAMESPACE


def broker_of(variables: Mapping[str, str]) -> str:
    """The broker's URL among `variables`; raises WrongInputError if there is none, or it is no such URL."""
    url = variables.get("AMQP_URL")
    if not url:
        raise WrongInputError(
            "AMQP_URL is not set and no stack runs here: start one with `make up`, or set AMQP_URL "
            f"to your broker, as in AMQP_URL={EXAMPLE}"
        )
    place_of(url)
    return url


def broker_url(environ: Mapping[str, str], folder: Path = FOLDER) -> str:
    """The broker of AMQP_URL, else of the stack that runs in this folder.

    Raises:
        WrongInputError: there is neither, or it is no AMQP URL.
    """
    return broker_of(addressed(environ, folder))


def _read(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text().splitlines() if file.exists() else []
        pairs = (line.partition("=") for line in lines)
        return {name: "".join(shlex.split(value)) for name, _, value in pairs}
    except (OSError, ValueError) as error:
        raise WrongInputError(f"{file} can't be read ({error}): stop the stack and start it again") from error
