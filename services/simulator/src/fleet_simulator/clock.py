"""The door to time. Everything else takes a `Clock`, so that tests decide what time it is."""

import asyncio
import math
import time
from typing import Protocol


class Clock(Protocol):
    """Where the simulator reads the time from, and where it waits."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock, with sleepers gathered into shared ticks.

    A thousand paced streams ask for tens of thousands of waits a second. One timer for each tick, instead of
    one for each wait, is what lets one core pace them all.

    Args:
        tick: How far apart two wake-ups may be, in seconds; no wait ends early, and none later than this.
    """

    def __init__(self, tick: float = 0.002) -> None:
        self._tick = tick
        self._sleepers: dict[tuple[asyncio.AbstractEventLoop, int], list[asyncio.Future[None]]] = {}

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """The machine's monotonic clock, in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait at least `seconds`; zero or less gives the other tasks a turn."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self._join_tick(asyncio.get_running_loop(), seconds)

    def _join_tick(self, loop: asyncio.AbstractEventLoop, seconds: float) -> asyncio.Future[None]:
        number = math.ceil((loop.time() + seconds) / self._tick)
        key = (loop, number)
        if key not in self._sleepers:
            self._sleepers[key] = []
            loop.call_at(number * self._tick, self._wake, key)
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers[key].append(sleeper)
        return sleeper

    def _wake(self, key: tuple[asyncio.AbstractEventLoop, int]) -> None:
        for sleeper in self._sleepers.pop(key):
            if not sleeper.done():
                sleeper.set_result(None)
