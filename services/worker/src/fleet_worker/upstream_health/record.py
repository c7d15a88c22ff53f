"""Where the fleet keeps what it knows of its upstream; the same rules in memory and in the store."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fleet_worker.upstream_health.signs import Sign


@dataclass(frozen=True, slots=True)
class Go:
    """The call may be made."""

    probe: bool = False
    """It is the one call by which the fleet finds out whether the model is well again."""


@dataclass(frozen=True, slots=True)
class Look:
    """The account is paused, and this worker is to find out whether it is well again."""

    code: str
    down_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """No call now. `code` is the account's trouble; empty where the model's breaker is open."""

    left_s: float
    """Seconds until somebody tries again."""
    down_s: float
    """Seconds since the trouble began."""
    code: str = ""


Admission = Go | Look | Wait


class Change(StrEnum):
    """What a report changed: only one worker is told, so that one line is logged for one change."""

    NOTHING = ""
    OPENED = "opened"
    REOPENED = "reopened"
    CLOSED = "closed"


class HealthRecord(Protocol):
    """Breakers, the account's pause and the retry budget of one account.

    Each call has an id of its own.

    Raises:
        StoreUnavailableError: from every method, where a store holds the record and does not answer.
    """

    async def admit(self, model: str, call: str, *, past_account: bool = False) -> Admission:
        """Whether a call of `model` makes sense now; `past_account` asks for the model alone."""
        ...

    async def report(self, model: str, call: str, sign: Sign, *, probe: bool, credit: int) -> Change:
        """Note how a call ended; a `credit` goes back into the retry budget."""
        ...

    async def pause(self, call: str, code: str) -> bool:
        """Pause the account because of `code`; whether it was not paused before."""
        ...

    async def heal(self) -> bool:
        """End the account's pause; whether there was one."""
        ...

    async def spend(self, call: str, cost: int) -> bool:
        """Take `cost` from the retry budget, if it holds so much."""
        ...
