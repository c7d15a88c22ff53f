"""Owns background tasks, so that none outlives what started it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

_AGAIN_S = 1.0


class Tasks:
    """Tasks that end at the latest with `stop`."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(
        self, work: Coroutine[Any, Any, None], on_error: Callable[[BaseException], None]
    ) -> asyncio.Task[None]:
        """Run `work`; `on_error` gets what it raises, other than its cancellation."""

        def end(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                on_error(error)

        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(end)
        return task

    def __len__(self) -> int:
        return len(self._running)

    async def finish(self, timeout_s: float) -> None:
        """Let what runs come to its end for `timeout_s` seconds; then cancel it and wait for it."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        await self.stop()

    async def stop(self) -> None:
        """Cancel what runs and wait for it."""
        await stop(*self._running)


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and wait until they ended.

    Once may not be enough: the AMQP library may answer a cancel with an error of its own, if what it waits
    for breaks at that moment, and work that goes on after such errors goes on after this one.
    """
    going_on = set(tasks)
    while going_on:
        for task in going_on:
            task.cancel()
        _, going_on = await asyncio.wait(going_on, timeout=_AGAIN_S)
