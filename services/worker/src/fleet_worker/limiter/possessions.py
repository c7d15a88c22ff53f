"""What one worker has of one pool: permits, wishes, and slots for when the store is away."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_worker.limiter.terms import Ask, Beaten, Held, Place

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

    def hold(self, wish: Wish, now: float) -> None:
        """A wish has its permit, unless who waited has left meanwhile."""
        self.wishes.pop(wish.ask.id, None)
        if not wish.answer.done():
            self.held[wish.ask.id] = (wish.ask, now)
            wish.answer.set_result(True)

    def drop(self, ask_id: str) -> None:
        """Hold a permit no more."""
        self.held.pop(ask_id, None)
        self.spared.discard(ask_id)

    def stated(self, now: float) -> list[Held]:
        """What is held, as a book is told of it."""
        return [Held(ask, round((now - since) * 1000)) for ask, since in self.held.values()]

    def lose(self, ask_id: str) -> bool:
        """End the call of a permit that was taken away; returns whether it was held."""
        if self.held.pop(ask_id, None) is None:
            return False
        on_loss = self.on_loss.get(ask_id)
        if on_loss is not None:
            on_loss()
        return True

    def give_up_older(self, before: float) -> bool:
        """Hold no more what nobody gave back, or it is stated for ever; returns whether there was any."""
        overdue = [ask_id for ask_id, (_, since) in self.held.items() if since < before]
        for ask_id in overdue:
            del self.held[ask_id]
        return bool(overdue)

    def heard(self, beaten: Beaten, held: list[Held]) -> None:
        """The book answered a statement, in which `held` was."""
        self.spare = beaten.spare
        self.in_use = beaten.in_flight > 0
        self.spared.intersection_update(self.held.keys() - {one.ask.id for one in held})
        for ask_id, place in beaten.places.items():
            wish = self.wishes.get(ask_id)
            if wish is not None:
                wish.stands_at(place)

    def use_spare(self, now: float) -> None:
        """Begin what waits without the store, from the slots that it never grants."""
        for wish in list(self.wishes.values())[: max(0, self.spare - len(self.spared))]:
            self.spared.add(wish.ask.id)
            self.hold(wish, now)

    def look_in(self, wait_ms: float, look: Callable[[], None]) -> None:
        """Look in `wait_ms`, unless that is to be done sooner already."""
        loop = asyncio.get_running_loop()
        at = loop.time() + wait_ms / 1000
        if self.timer is not None and not self.timer.cancelled():
            if loop.time() < self.timer.when() <= at:
                return
            self.timer.cancel()
        self.timer = loop.call_at(at, look)

    def look_no_more(self) -> None:
        """Forget when to look."""
        if self.timer is not None:
            self.timer.cancel()
