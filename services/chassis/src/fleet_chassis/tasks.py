"""Background work that has an owner, and ends with it."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fleet_chassis.logging import Log

AGAIN_S = 1.0


@asynccontextmanager
async def owned(work: Coroutine[Any, Any, None], log: Log) -> AsyncGenerator[None]:
    """Run `work`, which never ends by itself, as long as the block; a bug that ends it is logged at once."""

    def look(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task broke, and will not come back before a restart", error=error)

    task = asyncio.create_task(work)
    task.add_done_callback(look)
    try:
        yield
    finally:
        await stop(task)


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait until they have ended, with whatever it is.

    Once may not be enough: the AMQP library may answer a cancel with an error of its own, if what it waits
    for breaks at that moment, and work that goes on after such errors goes on after this one.
    """
    going_on = set(tasks)
    while going_on:
        for task in going_on:
            task.cancel()
        _, going_on = await asyncio.wait(going_on, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
