"""Keeps one tenant's line for a saturated model from filling the places of everybody else.

Whoever waits for a permit holds a delivery, and a worker has a bounded number of those. So only a few of each
tenant and model wait here; the others are put aside, each until about the time at which its turn would come.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_worker.limiter.terms import Ask, Place
from fleet_worker.postponed import PostponedError, Reason

HOLD_S = 1.0
"""How long one more may wait for a place in line. Bounds how fast a deep backlog is turned over."""
SHORTEST_S, LONGEST_S = 5.0, 600.0
FIRST_PACE_S = 0.1
MOST_LINES = 10_000


@dataclass(slots=True)
class _Line:
    places: asyncio.Semaphore
    pace_s: float = FIRST_PACE_S
    """Between two grants to this tenant, over the fleet."""
    next_at: float = 0.0
    """When the last one that was put aside should be back."""


class Crowding:
    """The lines of this worker."""

    def __init__(self, most: int, clock: Clock) -> None:
        """`most`: how many of one tenant and model may wait here."""
        self._most = most
        self._clock = clock
        self._lines: OrderedDict[tuple[str, str], _Line] = OrderedDict()

    @asynccontextmanager
    async def place(self, ask: Ask) -> AsyncGenerator[None]:
        """Hold a place in line while the block runs.

        Raises:
            PostponedError: there is none.
        """
        line = self._line(ask)
        try:
            async with asyncio.timeout(HOLD_S):
                await line.places.acquire()
        except TimeoutError:
            raise PostponedError(Reason.THROTTLED, self._until_its_turn(line)) from None
        try:
            yield
        finally:
            line.places.release()

    def seen(self, ask: Ask, place: Place) -> None:
        """Learn from where somebody stands how fast its line moves."""
        estimate_s = place.estimate_s()
        if estimate_s is not None:
            self._line(ask).pace_s = estimate_s / (place.ahead + 1)

    def _until_its_turn(self, line: _Line) -> float:
        now = self._clock.monotonic()
        line.next_at = max(line.next_at, now + SHORTEST_S) + line.pace_s
        line.next_at = min(line.next_at, now + LONGEST_S)
        return line.next_at - now

    def _line(self, ask: Ask) -> _Line:
        key = (ask.pool, ask.tenant)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(asyncio.Semaphore(self._most))
            if len(self._lines) > MOST_LINES:
                # A line that is forgotten while some wait in it only begins to count anew.
                self._lines.popitem(last=False)
        self._lines.move_to_end(key)
        return line
