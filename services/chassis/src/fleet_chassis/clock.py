"""The door to time. Everything else takes a `Clock`, so that tests decide what time it is."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where a service reads the time from."""

    def now_ms(self) -> int:
        """Unix time in milliseconds: for what crosses the wire."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards: for durations and deadlines inside one process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """The event loop's time, so that it can be handed to `asyncio.timeout_at`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait with asyncio."""
        await asyncio.sleep(seconds)
