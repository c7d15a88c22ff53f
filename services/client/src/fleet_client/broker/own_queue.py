"""A durable queue of one's own, consumed again after every reconnect."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import ChannelAccessRefused

from fleet_client.broker.consumption import Consumed, Consumption
from fleet_client.broker.link import Link, Watch
from fleet_client.broker.trouble import Trouble, as_trouble
from fleet_client.errors import BatchUnderWay, BrokerUnreachable
from fleet_client.following import Arrivals, Delivery
from fleet_contracts.topology import RESULTS, Queue

_ACK_TIMEOUT_S = 10.0
_IN_USE = "exclusive use"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a queue is read.

    Attributes:
        prefetch: messages under way to the reader at once.
        patterns: bindings of `deepseek.results`.
        alone: whether nobody else may read it meanwhile.
    """

    prefetch: int
    patterns: Sequence[str] = ()
    alone: bool = False


class OwnQueue:
    """Reads one durable queue; what is not acknowledged when it ends stays there.

    Args:
        url: the broker and vhost.
        what: how RabbitMQ's management page shows the connection.
        queue: the queue.
        terms: how it is read.
        chance: spreads reconnects.
        on_lost: called after the queue had been deleted and is declared again.
    """

    def __init__(
        self,
        url: str,
        what: str,
        queue: Queue,
        terms: Terms,
        chance: random.Random,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self.arrivals = Arrivals()
        self._queue = queue
        self._terms = terms
        self._consumption = Consumption(queue.name, self._consume, on_lost)
        self._link = Link(url, what, self._serve, chance)

    async def open(self, timeout_s: float) -> None:
        """Declare and bind the queue, and consume it.

        Raises:
            BatchUnderWay: somebody else reads it alone.
            BrokerUnreachable: not within `timeout_s` seconds, or the broker refused.
        """
        try:
            await self._link.open(timeout_s)
        except BrokerUnreachable as error:
            if _is_in_use(self._link.trouble):
                raise BatchUnderWay(
                    f"Another program reads {self._queue.name}. Let that one end, or give this batch another "
                    "name. One that has just lost its connection is let go of within a minute."
                ) from error
            raise

    async def close(self) -> None:
        """Disconnect; the queue stays."""
        await self._link.close()

    async def remove(self) -> None:
        """Delete the queue, where the broker can be reached; else it expires by itself."""
        await self._consumption.delete()

    async def _serve(self, connection: AbstractConnection, opened: Callable[[], None]) -> None:
        self.arrivals.forget()
        await self._consumption.serve(connection, opened)

    async def _consume(self, connection: AbstractConnection, watch: Watch) -> Consumed:
        channel = await connection.channel(publisher_confirms=False)
        await watch.begin(connection, channel)
        await channel.set_qos(prefetch_count=self._terms.prefetch)
        queue = await self._declared(channel)
        return queue, await queue.consume(self._on_message, exclusive=self._terms.alone)

    async def _declared(self, channel: AbstractChannel) -> AbstractQueue:
        queue = await channel.declare_queue(self._queue.name, durable=True, arguments=self._queue.arguments)
        for pattern in self._terms.patterns:
            await queue.bind(RESULTS, pattern)
        return queue

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        async def ack() -> None:
            # Where the channel is gone, the broker delivers it again, and the reader knows it by its id.
            with suppress(Trouble), as_trouble():
                async with asyncio.timeout(_ACK_TIMEOUT_S):
                    await message.ack()

        self.arrivals.put(
            Delivery(message.correlation_id or "", message.routing_key or "", message.body, ack)
        )


def _is_in_use(trouble: Exception | None) -> bool:
    cause = None if trouble is None else trouble.__cause__
    return isinstance(cause, ChannelAccessRefused) and _IN_USE in str(cause)
