"""What one worker has of one pool: permits, wishes, and slots for when the store is away."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_worker.limiter.terms import Ask, Place

Tell = Callable[[Place], None]


@dataclass(eq=False, slots=True)
class Wish:
    """Somebody who waits for a permit; `answer` is set to whether there is one."""

    ask: Ask
    answer: asyncio.Future[bool]
    tell: Tell | None = None
    ahead: int | None = None
    """How many were before it when that was last told."""

    def stands_at(self, place: Place) -> None:
        """Tell where it stands, where that is news."""
        if self.tell is not None and place.ahead != self.ahead:
            self.ahead = place.ahead
            self.tell(place)


@dataclass(eq=False, slots=True)
class Possessions:
    """This worker's part of one pool."""

    held: dict[str, tuple[Ask, float]] = field(default_factory=dict[str, tuple[Ask, float]])
    wishes: dict[str, Wish] = field(default_factory=dict[str, Wish])
    in_use: bool = False
    """Whether anybody had a permit of it when this worker last asked."""
    unsure: bool = False
    """Whether the book may have more of this worker than it has: it was told something and did not answer."""
    on_loss: dict[str, Callable[[], None]] = field(default_factory=dict[str, Callable[[], None]])
    """What to do where a held permit is taken away."""
    spare: int = 0
    spared: set[str] = field(default_factory=set[str])
    """Begun while the store was away, from the slots that it never grants."""
    timer: asyncio.TimerHandle | None = None

    def concerns_us(self) -> bool:
        """Whether this worker has to state something here, or to look after what others left."""
        return bool(self.held or self.wishes or self.in_use or self.unsure)
