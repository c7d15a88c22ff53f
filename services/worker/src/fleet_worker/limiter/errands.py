"""What is told to a book while nobody waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fleet_chassis.tasks import stop

LAST_ERRANDS_S = 2.0


class Errands:
    """Owns every task that the limiter leaves running.

    Args:
        at_once: the book is in memory and never waits, so what is told to it holds when `run` returns.
        broke: hears of an error that nobody expected.
    """

    def __init__(self, broke: Callable[[BaseException], None], *, at_once: bool) -> None:
        self._broke = broke
        self._at_once = at_once
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`; returns at once."""
        if self._at_once:
            with suppress(StopIteration):
                work.send(None)
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def aclose(self) -> None:
        """Finish what is quick, and stop."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_ERRANDS_S)
        await stop(*self._tasks)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broke(error)
