"""The client's own reply queue: consumed again after every reconnect, and declared again if it was deleted.

Messages are acknowledged after they were handed over, by one cumulative ack for all that came in the same
turn of the event loop. Without acks, a result under way while the connection breaks would be lost and its
caller would wait until the deadline; one ack for each chunk would cost a write for each token.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from fleet_client.broker.consumption import Consumed, Consumption
from fleet_client.broker.link import Link, Watch
from fleet_client.broker.trouble import Trouble, as_trouble
from fleet_contracts.topology import Queue

_PREFETCH = 500

Take = Callable[[str | None, bytes], None]


class Replies:
    """Consumes one reply queue.

    Args:
        url: the broker and vhost.
        queue: the queue, which belongs to this client alone.
        take: gets each reply's correlation ID and body; must not wait.
        on_lost: called after the queue had been deleted and is declared again.
        chance: spreads reconnects.
    """

    def __init__(
        self, url: str, queue: Queue, take: Take, on_lost: Callable[[], None], chance: random.Random
    ) -> None:
        self._consumption = Consumption(queue.name, self._consume, on_lost)
        self._link = Link(url, "replies", self._consumption.serve, chance)
        self._queue = queue
        self._take = take
        self._newest: AbstractIncomingMessage | None = None

    async def open(self, timeout_s: float) -> None:
        """Declare the queue and consume it.

        Raises:
            BrokerUnreachable: not within `timeout_s` seconds.
        """
        await self._link.open(timeout_s)

    async def close(self) -> None:
        """Delete the queue, where the broker can be reached (else it expires by itself), and disconnect."""
        try:
            await self._consumption.delete()
        finally:
            await self._link.close()

    async def _consume(self, connection: AbstractConnection, watch: Watch) -> Consumed:
        channel = await connection.channel(publisher_confirms=False)
        await watch.begin(connection, channel)
        await channel.set_qos(prefetch_count=_PREFETCH)
        queue = await channel.declare_queue(self._queue.name, durable=True, arguments=self._queue.arguments)
        return queue, await queue.consume(self._on_message)

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        try:
            self._take(message.correlation_id, message.body)
        finally:
            is_first_of_this_turn = self._newest is None
            self._newest = message
            if is_first_of_this_turn:
                await self._acknowledge_all()

    async def _acknowledge_all(self) -> None:
        try:
            await asyncio.sleep(0)
        finally:
            newest, self._newest = self._newest, None
        if newest is not None:
            # Where the channel is gone, the broker delivers again and the inbox drops what it has seen.
            with suppress(Trouble), as_trouble():
                await newest.ack(multiple=True)
