"""Background work that has an owner."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fleet_chassis.logging import Log


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
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
