"""Pure: what a person wants of a batch."""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fleet_cli.batch.line import Choices
from fleet_cli.batch.record import Begun
from fleet_cli.batch.schema import Schema
from fleet_cli.wrong_input import WrongInputError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_A_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_STEM, _DIGEST = 40, 12


@dataclass(frozen=True, slots=True)
class Wish:
    """One run of a batch.

    Attributes:
        source: the input file.
        results: the results file.
        name: the batch's word on the wire.
        tenant: who asks.
        choices: what is said about every line.
        schema: what answers have to fit.
        tries: how often a line is asked until its answer fits.
        window: lines under way at once.
        most_nano: the most that the batch may cost, in billionths of a dollar.
        retry_failed: whether failed lines are asked anew.
        off_peak: whether lines are sent in DeepSeek's cheaper hours only.
    """

    source: Path
    results: Path
    name: str
    tenant: str
    choices: Choices
    schema: Schema | None = None
    tries: int = 3
    window: int = 200
    most_nano: int | None = None
    retry_failed: bool = False
    off_peak: bool = False

    def begun(self) -> Begun:
        """What the journal says of the batch: what makes its lines the same requests in every run."""
        said: dict[str, Any] = {
            "model": self.choices.model,
            "system": _digest(self.choices.system.encode()),
            "schema": _digest(self.schema.text if self.schema else b""),
            **self.choices.fields,
        }
        return Begun(self.name, self.tenant, said)


def default_name(source: Path, results: Path) -> str:
    """The name of a batch that was given none: the same for the same results file."""
    stem = _NOT_A_NAMES.sub("-", source.stem)[:_STEM].strip("-") or "batch"
    return f"{stem}-{sha256(str(results.resolve()).encode()).hexdigest()[:_DIGEST]}"


def checked_name(name: str) -> str:
    """`name`; raises WrongInputError where it can't be a batch's."""
    if not _NAME.fullmatch(name):
        raise WrongInputError(f"{name!r} is no name of a batch: use 1 to 64 letters, digits, '_' and '-'")
    return name


def demand_the_same(begun: Begun, wish: Begun, results: Path) -> None:
    """Refuse to go on with a batch under other terms: its lines would be other requests, and paid again.

    Raises:
        WrongInputError: something differs.
    """
    said, says = _terms(begun), _terms(wish)
    other = sorted(name for name in said.keys() | says.keys() if said.get(name) != says.get(name))
    if other:
        raise WrongInputError(
            f"{results} was begun with another {' and '.join(other)}: give what you gave then, or begin anew "
            "with another -o"
        )


def _terms(begun: Begun) -> dict[str, Any]:
    return {"name": begun.name, "tenant": begun.tenant, **begun.choices}


def _digest(text: bytes) -> str:
    return sha256(text).hexdigest() if text else ""
