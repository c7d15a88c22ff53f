"""An entry of the catalogue: its name, what breaks, and what must hold."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.catalogue.stage import Stage

WORKERS = 3
WITHIN_S = 60.0


class Verdict(StrEnum):
    """How an entry came out."""

    HELD = "held"
    BROKEN = "BROKEN"
    OUT = "out"
    """It can't be tried here; the complaint says why."""


class OutError(Exception):
    """This machine can't make the fault. The text says why."""


Play = Callable[["Stage"], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fault, and how it is played.

    Beside what `must_hold`, every promise that the checker knows must be kept, but for what `may` names; and
    all that was asked before the mend must have its end within `within_s` seconds of it.
    """

    number: int
    name: str
    fault: str
    must_hold: str
    play: Play
    workers: int = WORKERS
    nodes: int = 1
    """Of RabbitMQ."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    may: frozenset[str] = frozenset()
    """Promises that this fault may break, in the report's words: what is destroyed by hand is gone."""
    within_s: float = WITHIN_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an entry."""

    verdict: Verdict
    complaints: list[str] = field(default_factory=list[str])
    requests: int = 0
    lost: int = 0
    twice: int = 0
    recovered: int = 0
    recovery_s: float | None = None
    """From the mend to the last end of what was asked before it."""
    took_s: float = 0.0
    broker: str = ""
    """The version of RabbitMQ that it was played on."""
    notes: dict[str, str] = field(default_factory=dict[str, str])


def entry(  # noqa: PLR0913 - a row of a table
    number: int,
    fault: str,
    must_hold: str,
    *,
    workers: int = WORKERS,
    nodes: int = 1,
    settings: Mapping[str, str] | None = None,
    may: frozenset[str] | set[str] = frozenset(),
    within_s: float = WITHIN_S,
) -> Callable[[Play], Entry]:
    """Make an entry of a function; its name is the function's, with hyphens."""

    def made(play: Play) -> Entry:
        return Entry(
            number=number,
            name=getattr(play, "__name__", "").replace("_", "-"),
            fault=fault,
            must_hold=must_hold,
            play=play,
            workers=workers,
            nodes=nodes,
            settings=settings or {},
            may=frozenset(may),
            within_s=within_s,
        )

    return made
