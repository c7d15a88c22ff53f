"""Knows when every model that is asked for is stopped: then taking requests would only fill the rungs."""

import asyncio
from collections import OrderedDict

from fleet_chassis.clock import Clock

SEEN_S = 600.0
"""A model that nobody asked for in so long is not served now."""
MAX_MODELS = 1000


class Standstill:
    """Is told of each model whether its calls go; tells when none goes any more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stopped_until: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By model: when it was last asked for, and until when it is stopped, in monotonic seconds."""
        self._begun = asyncio.Event()

    def goes(self, model: str) -> None:
        """A call of `model` was let through."""
        self._note(model, 0.0)
        self._begun.clear()

    def stopped(self, model: str, for_s: float) -> None:
        """No call of `model` makes sense for `for_s` seconds."""
        self._note(model, self._clock.monotonic() + for_s)
        if self._left_s() > 0:
            self._begun.set()

    async def begun(self) -> float:
        """Return when every model is stopped; how many seconds from then until the first may be tried."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            if (left_s := self._left_s()) > 0:
                return left_s

    def _note(self, model: str, until: float) -> None:
        self._stopped_until[model] = (self._clock.monotonic(), until)
        self._stopped_until.move_to_end(model)
        if len(self._stopped_until) > MAX_MODELS:
            self._stopped_until.popitem(last=False)

    def _left_s(self) -> float:
        now = self._clock.monotonic()
        lately = [until for seen, until in self._stopped_until.values() if seen > now - SEEN_S]
        return min(lately, default=now) - now
