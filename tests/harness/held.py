"""A simulator whose time stands still until a test lets it go: no pace decides what comes first."""

import asyncio
import time

from fleet_simulator.config import SimulatorConfig, Timing

HELD = SimulatorConfig(timing=Timing(headers=0, first_token=0, tokens_per_second=1))
"""In held time: headers come, and of each stream its first message, which has no text; no more until then."""
_AHEAD_S = 500.0
"""Longer than any answer takes at that pace, and shorter than a call may wait for its start."""


class HeldTime:
    """The simulator's clock. Whoever waits on it waits for `let_go`; from then on nobody waits at all."""

    def __init__(self, pieces: int = 0) -> None:
        """`pieces`: so many waits over all calls end at once; in a stream, each lets one more message go."""
        self._now = time.monotonic()
        self._pieces = pieces
        self._gone = asyncio.Event()

    def let_go(self) -> None:
        """Have all time pass that anybody waits for."""
        self._now += _AHEAD_S
        self._gone.set()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds > 0 and self._pieces > 0:
            self._pieces -= 1
        elif seconds > 0:
            await self._gone.wait()
        await asyncio.sleep(0)
