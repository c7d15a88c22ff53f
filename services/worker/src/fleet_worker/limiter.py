"""The limiter in the memory of one process: so many calls at once for each model."""

import asyncio

from fleet_chassis.clock import Clock
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.request import Request

PUBLISHED_LIMITS = {"deepseek-v4-pro": 500}
"""Calls at once for each account. Source: https://api-docs.deepseek.com/quick_start/rate_limit"""
PUBLISHED_LIMIT = 2500
MAX_POOLS = 1000


class MemoryLimiter:
    """Permits for each model, in order of arrival."""

    def __init__(self, limit: int | None, clock: Clock) -> None:
        """`limit`: calls at once for each model; DeepSeek's published limit where None."""
        self._limit = limit
        self._clock = clock
        self._pools: dict[str, asyncio.Semaphore] = {}

    async def acquire(self, request: Request, deadline: Deadline) -> asyncio.Semaphore:
        """Take a permit; waits for it until the deadline.

        Raises:
            CompletionError: `deadline_exceeded`; nothing is held.
        """
        if deadline.passed(self._clock):
            # A free permit is taken without waiting, so the clock below would never be asked.
            raise _too_late()
        pool = self._pool(request.model)
        try:
            async with asyncio.timeout(deadline.left_s(self._clock)):
                await pool.acquire()
        except TimeoutError as error:
            raise _too_late() from error
        return pool

    def _pool(self, model: str) -> asyncio.Semaphore:
        # Callers choose model names; past the bound, strange names share one pool instead of growing memory.
        name = model if model in self._pools or len(self._pools) < MAX_POOLS else ""
        if name not in self._pools:
            self._pools[name] = asyncio.Semaphore(self._limit or PUBLISHED_LIMITS.get(name, PUBLISHED_LIMIT))
        return self._pools[name]


def _too_late() -> CompletionError:
    message = "the deadline passed before the request got a permit: ask again with more time"
    return CompletionError(ErrorCode.DEADLINE_EXCEEDED, message, again=False)
