"""Asking a server again and again until it has an answer, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

PAUSE_S = 0.5
Told = TypeVar("Told")


async def until_told(asked: Callable[[], Awaitable[Told | None]], *, deadline_s: float) -> Told:
    """The first answer that is not None; fails with TimeoutError after `deadline_s` seconds."""
    async with asyncio.timeout(deadline_s):
        while (told := await asked()) is None:  # noqa: ASYNC110 - a server can only be asked
            await asyncio.sleep(PAUSE_S)
    return told
