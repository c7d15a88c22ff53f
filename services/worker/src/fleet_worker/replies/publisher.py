"""Publishing with confirms, on a connection of its own: a blocked publisher must never hold back an ack."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractRobustConnection
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.exceptions import AMQPError

from fleet_worker.replies.outgoing import NotConfirmedError, Outgoing, UnroutableError

CONFIRM_TIMEOUT_S = 10.0
RECONNECT_INTERVAL_S = 1.0


class Publisher:
    """Publishes on one channel and waits for the broker's word on each message."""

    def __init__(self, connection: AbstractRobustConnection, channel: AbstractChannel) -> None:
        self._connection = connection
        self._channel = channel
        self._exchanges: dict[str, AbstractExchange] = {"": channel.default_exchange}

    @property
    def connected(self) -> bool:
        """Whether the connection is up now."""
        return self._connection.connected.is_set()

    async def publish(self, message: Outgoing, timeout_s: float = CONFIRM_TIMEOUT_S) -> None:
        """Publish and have it confirmed.

        The message id is random on each publish: the client library matches returned messages by it, so an
        id used twice at once would give one publish the other's answer.

        Raises:
            UnroutableError: the queue is gone.
            NotConfirmedError: refused, not confirmed within `timeout_s` seconds, or the connection is lost.
        """
        try:
            async with asyncio.timeout(timeout_s):
                exchange = await self._exchange(message.exchange)
                await exchange.publish(_encoded(message), message.routing_key, mandatory=message.mandatory)
        except PublishError as error:
            raise UnroutableError(f"no queue takes {message.routing_key}") from error
        except (DeliveryError, AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise NotConfirmedError(f"{type(error).__name__} from the broker") from error

    async def _exchange(self, name: str) -> AbstractExchange:
        known = self._exchanges.get(name)
        if known is None:
            # Not declared and not asked for: a worker needs no right beyond writing to it.
            known = self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
        return known


def _encoded(message: Outgoing) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=uuid.uuid4().hex,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        type=message.type,
        headers=message.headers,
    )


@dataclass(frozen=True, slots=True)
class Publishers:
    """A channel for what goes to callers, and one for the rest, so that an error on one spares the other."""

    replies: Publisher
    events: Publisher


@asynccontextmanager
async def open_publishers(amqp_url: str, timeout_s: float) -> AsyncGenerator[Publishers]:
    """Connect for publishing; the connection comes back by itself after a broker's restart."""
    async with asyncio.timeout(timeout_s):
        connection = await aio_pika.connect_robust(amqp_url, reconnect_interval=RECONNECT_INTERVAL_S)
    try:
        yield Publishers(await _publisher(connection), await _publisher(connection))
    finally:
        await connection.close()


async def _publisher(connection: AbstractRobustConnection) -> Publisher:
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    return Publisher(connection, channel)
