"""What the ledger's steps answer."""

from dataclasses import dataclass
from enum import StrEnum

from fleet_worker.hold import Facts
from fleet_worker.ledger.record import Head, Owner


@dataclass(frozen=True, slots=True)
class Taken:
    """The claim is granted."""

    fence: int
    attempts: int = 0
    void: str = ""
    vanished: int = 0
    cancelled: bool = False
    superseded: bool = False
    """It was taken from an owner who is gone."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody has it in hand; the asker is told when they stop."""

    owner: Owner
    left_ms: int
    """Until their lease ends, if they do not renew it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """It has ended, so."""

    head: Head
    body: bytes | None
    """None where it is not kept any more."""


@dataclass(frozen=True, slots=True)
class Differs:
    """The key belongs to another request."""


Claimed = Taken | Busy | Ended | Differs


class Standing(StrEnum):
    """What a holder's word is worth."""

    HELD = "held"
    CANCELLED = "cancelled"
    """Held, and wanted by nobody any more."""
    LOST = "lost"
    """Someone else has it, or it was given back."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Stored:
    """The terminal reply counts."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Someone else has the request in hand; nothing was stored."""


Committed = Stored | Ended | Superseded


@dataclass(frozen=True, slots=True)
class TakenToEnd:
    """Nobody had it in hand, so the canceller has it now."""

    fence: int
    identity: str
    facts: Facts
    attempts: int
    void: str


class Marked(StrEnum):
    """What became of a cancel that took nothing in hand."""

    UNKNOWN = "unknown"
    RUNNING = "running"
    ENDED = "ended"


CancelAnswer = TakenToEnd | Marked
