"""A durable queue of one's own on `deepseek.results`, consumed again after every reconnect."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from fleet_client.broker.link import Link, Watch
from fleet_client.broker.trouble import Trouble, as_trouble
from fleet_client.following import Arrivals, Delivery, Wish
from fleet_contracts.grammar import routing_word
from fleet_contracts.topology import NO_DELIVERY_LIMIT, REPLY_PREFIX, RESULTS, Queue

_RPC_TIMEOUT_S = 30.0
_ACK_TIMEOUT_S = 10.0
_MOST_BYTES = 1024**3


class ResultsQueue:
    """Follows results; what is not acknowledged when it ends stays in the queue.

    Args:
        url: the broker and vhost.
        wish: which results, and how.
        chance: spreads reconnects.
    """

    def __init__(self, url: str, wish: Wish, chance: random.Random) -> None:
        self.arrivals = Arrivals()
        self._wish = wish
        self._queue = results_queue(wish)
        self._link = Link(url, f"results {wish.name}", self._serve, chance)

    async def open(self, timeout_s: float) -> None:
        """Declare and bind the queue, and consume it.

        Raises:
            BrokerUnreachable: not within `timeout_s` seconds, or the broker refused.
        """
        await self._link.open(timeout_s)

    async def close(self) -> None:
        """Disconnect; the queue stays."""
        await self._link.close()

    async def _serve(self, connection: AbstractConnection, opened: Callable[[], None]) -> None:
        watch = Watch()
        self.arrivals.forget()
        with as_trouble():
            async with asyncio.timeout(_RPC_TIMEOUT_S):
                await self._consume(connection, watch)
        opened()
        await watch.until_gone()

    async def _consume(self, connection: AbstractConnection, watch: Watch) -> None:
        channel = await connection.channel(publisher_confirms=False)
        await watch.begin(connection, channel)
        await channel.set_qos(prefetch_count=self._wish.prefetch)
        queue = await channel.declare_queue(self._queue.name, durable=True, arguments=self._queue.arguments)
        for pattern in self._wish.patterns:
            await queue.bind(RESULTS, pattern)
        await queue.consume(self._on_message)

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        async def ack() -> None:
            # Where the channel is gone, the broker delivers it again, and the reader knows it by its id.
            with suppress(Trouble), as_trouble():
                async with asyncio.timeout(_ACK_TIMEOUT_S):
                    await message.ack()

        self.arrivals.put(
            Delivery(message.correlation_id or "", message.routing_key or "", message.body, ack)
        )


def results_queue(wish: Wish) -> Queue:
    """The queue of this wish. Full, it lets its oldest go: a slow follower must not hold the fleet up."""
    return Queue(
        f"{REPLY_PREFIX}{routing_word(wish.tenant)}.results.{wish.name}",
        {
            "x-queue-type": "quorum",
            "x-delivery-limit": NO_DELIVERY_LIMIT,
            "x-expires": int(wish.expires_s * 1000),
            "x-max-length": wish.max_messages,
            "x-max-length-bytes": _MOST_BYTES,
            "x-overflow": "drop-head",
        },
    )
