"""What all turns of one worker share."""

from dataclasses import dataclass, field
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_worker.conversations.asking import Asking
from fleet_worker.conversations.histories import Claim, Histories
from fleet_worker.conversations.line import Line
from fleet_worker.conversations.observing import ConversationObserver
from fleet_worker.hold import Hold
from fleet_worker.request import ConversationKey

HOLD_S = 2.0
"""Long enough for the end of a turn that is nearly over; beyond it, a rung is the place to wait."""
MAX_WAITING_BYTES = 256 * 1024 * 1024


class Trust(Protocol):
    """What is asked about the store."""

    async def back(self) -> None:
        """Return when it answers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A conversation that a turn has to itself."""

    conversation: ConversationKey
    claim: Claim
    hold: Hold


@dataclass(slots=True, kw_only=True)
class Home:
    """Where turns find what they need."""

    histories: Histories
    asking: Asking
    line: Line
    channel: str
    """Where this worker is told that a conversation has come free."""
    trust: Trust
    clock: Clock
    observer: ConversationObserver
    hold_s: float = HOLD_S
    """How long a delivery waits for another turn's end, in seconds."""
    room: int = MAX_WAITING_BYTES
    """Bytes of answers that may still wait for a store that is away."""
    held: set[Held] = field(default_factory=set[Held])
    """What is renewed."""
