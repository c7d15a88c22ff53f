"""Running something in the foreground until it ends or the person ends it."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

STOPPED_BY_SIGTERM = 128 + signal.SIGTERM


def run_in_foreground(work: Coroutine[None, None, T]) -> T:
    """Run `work` to its end and return its outcome.

    Ctrl-C and SIGTERM cancel it, so that it can clear up, and then end the command.

    Raises KeyboardInterrupt after Ctrl-C, SystemExit with 143 after SIGTERM.
    """
    try:
        return asyncio.run(_until_terminated(work))
    except asyncio.CancelledError:
        raise SystemExit(STOPPED_BY_SIGTERM) from None


async def _until_terminated(work: Coroutine[None, None, T]) -> T:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
