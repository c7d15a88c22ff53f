"""Waiting for something outside this process, with a deadline instead of luck."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

PAUSE_S = 0.02


async def until(condition: Callable[[], bool], *, deadline_s: float = 30.0) -> None:
    """Returns when `condition` holds; fails with TimeoutError after `deadline_s` seconds."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - another process tells nobody here when it is so far
            await asyncio.sleep(PAUSE_S)


async def until_so(condition: Callable[[], Awaitable[bool]], deadline_s: float = 20.0) -> None:
    """As `until`, for a condition that can only be asked elsewhere."""
    async with asyncio.timeout(deadline_s):
        while not await condition():  # noqa: ASYNC110 - what is asked lies in a store, which tells nobody
            await asyncio.sleep(PAUSE_S)


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
