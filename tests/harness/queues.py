"""What a queue holds, and who reads it, as the broker tells anybody who asks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from harness.waiting import PAUSE_S

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """A queue at one moment.

    Attributes:
        waiting: Messages that nobody has in hand.
        readers: Its consumers.
    """

    waiting: int
    readers: int


async def told_of(url: str, queue: str) -> Told | None:
    """None where there is no such queue."""
    async with await aio_pika.connect(url) as connection:
        return await _told_of(connection, queue)


async def until_told_so(
    url: str, queue: str, so: Callable[[Told | None], bool], *, deadline_s: float = PATIENCE_S
) -> None:
    """Returns when the broker says so of the queue; fails with TimeoutError at the deadline."""
    async with asyncio.timeout(deadline_s), await aio_pika.connect(url) as connection:
        while not so(await _told_of(connection, queue)):  # noqa: ASYNC110 - a broker can only be asked
            await asyncio.sleep(PAUSE_S)


async def until_waiting(url: str, queue: str, count: int) -> None:
    """Until so many messages wait in it."""
    await until_told_so(url, queue, lambda told: told is not None and told.waiting == count)


async def until_read(url: str, queue: str, readers: int = 1) -> None:
    """Until the queue is there, bound and consumed by so many."""
    await until_told_so(url, queue, lambda told: told is not None and told.readers >= readers)


async def _told_of(connection: AbstractConnection, queue: str) -> Told | None:
    # On a channel of its own: the broker closes the channel that asks for a queue which is not there.
    channel = await connection.channel()
    try:
        result = (await channel.declare_queue(queue, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return None
    await channel.close()
    return Told(result.message_count or 0, result.consumer_count or 0)
