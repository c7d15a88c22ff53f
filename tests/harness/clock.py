"""Clocks that tests turn by hand."""

import asyncio

from fleet_chassis.clock import SystemClock


class HandClock:
    """Time stands still but for `advance` and `sleep`, which returns at once and remembers how long."""

    def __init__(self, now_ms: int = 1_795_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic = 1000.0
        self.slept: list[float] = []

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now_ms += round(seconds * 1000)
        self._monotonic += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


class LateClock(SystemClock):
    """The machine's clock, which a test can put forward."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s
