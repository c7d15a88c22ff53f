"""One durable queue of one's own, consumed anew with every connection until it is deleted."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aio_pika.abc import AbstractConnection, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from fleet_client.broker.link import Watch
from fleet_client.broker.trouble import Trouble, as_trouble

_RPC_TIMEOUT_S = 30.0
_DELETE_TIMEOUT_S = 5.0

Consumed = tuple[AbstractQueue, str]
"""A queue, and the tag of its consumer."""
Consume = Callable[[AbstractConnection, Watch], Awaitable[Consumed]]


class Consumption:
    """Knows whether the queue is consumed now, and whether it was deleted meanwhile.

    Args:
        name: the queue's.
        consume: declares and consumes it, on a channel that it lets the watch see.
        on_lost: called after the queue had been deleted and is declared again.
    """

    def __init__(self, name: str, consume: Consume, on_lost: Callable[[], None] | None = None) -> None:
        self._name = name
        self._consume = consume
        self._on_lost = on_lost
        self._is_declared = False
        self._consumed: Consumed | None = None

    async def serve(self, connection: AbstractConnection, opened: Callable[[], None]) -> None:
        """Consume the queue, say so by `opened`, and return when the connection or the consumer is gone.

        Raises:
            Trouble: it can't be declared or consumed.
        """
        watch = Watch()
        with as_trouble():
            async with asyncio.timeout(_RPC_TIMEOUT_S):
                was_deleted = self._is_declared and not await _exists(connection, self._name)
                self._consumed = await self._consume(connection, watch)
        self._is_declared = True
        opened()
        if was_deleted and self._on_lost is not None:
            self._on_lost()
        try:
            await watch.until_gone()
        finally:
            self._consumed = None

    async def delete(self) -> None:
        """Delete the queue, where the broker can be reached; else it expires by itself."""
        if self._consumed is None:
            return
        queue, consumer_tag = self._consumed
        with suppress(Trouble), as_trouble():
            async with asyncio.timeout(_DELETE_TIMEOUT_S):
                # First the consumer, so that the broker has none to tell that its queue is gone.
                await queue.cancel(consumer_tag)
                await queue.delete(if_unused=False, if_empty=False)


async def _exists(connection: AbstractConnection, name: str) -> bool:
    # On a channel of its own: the broker closes the channel that asks for a queue which is not there.
    probe = await connection.channel(publisher_confirms=False)
    try:
        await probe.declare_queue(name, passive=True)
    except ChannelNotFoundEntity:
        return False
    await probe.close()
    return True
