"""Publishing with confirms, on connections of its own: a blocked publisher must never hold back an ack."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractRobustConnection
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.exceptions import AMQPError

from fleet_chassis.broker import close_connection
from fleet_worker.replies.outgoing import (
    Compose,
    Ended,
    NotConfirmedError,
    Outgoing,
    Posted,
    Publishes,
    UnroutableError,
    composed,
    not_composed,
)
from fleet_worker.replies.wire import TappedConnection, WirePublisher

CONFIRM_TIMEOUT_S = 10.0
RECONNECT_INTERVAL_S = 1.0


class PlainPublisher:
    """Publishes on one channel by aio-pika's public API, one message after the other."""

    def __init__(self, connection: AbstractRobustConnection, channel: AbstractChannel) -> None:
        self._connection = connection
        self._channel = channel
        self._exchanges: dict[str, AbstractExchange] = {"": channel.default_exchange}
        self._posted: set[_PlainPost] = set()

    @property
    def connected(self) -> bool:
        """Whether the connection is up now."""
        return self._connection.connected.is_set()

    def post(self, compose: Compose, ended: Ended) -> Posted:
        """As the protocol says, from a task of its own."""
        posted = _PlainPost(self, compose, ended)
        self._posted.add(posted)
        posted.task.add_done_callback(lambda _: self._posted.discard(posted))
        return posted

    async def publish(self, message: Outgoing) -> None:
        """As the protocol says.

        The message id is random on each publish: the client library matches returned messages by it, so an
        id used twice at once would give one publish the other's answer.
        """
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                exchange = await self._exchange(message.exchange)
                await exchange.publish(_encoded(message), message.routing_key, mandatory=message.mandatory)
        except PublishError as error:
            raise UnroutableError(f"no queue takes {message.routing_key}") from error
        except (DeliveryError, AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise NotConfirmedError(f"{type(error).__name__} from the broker") from error

    def close(self) -> None:
        """Publish nothing more of what was posted."""
        for posted in list(self._posted):
            posted.withdraw()

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
        headers=dict(message.headers),
    )


class _PlainPost:
    """One message on its way."""

    def __init__(self, publisher: PlainPublisher, compose: Compose, ended: Ended) -> None:
        self.task = asyncio.create_task(self._publish(publisher, compose, ended))

    def withdraw(self) -> None:
        """As the protocol says."""
        self.task.cancel()

    async def _publish(self, publisher: PlainPublisher, compose: Compose, ended: Ended) -> None:
        try:
            message = composed(compose)
            await publisher.publish(message if isinstance(message, Outgoing) else message.outgoing())
        except (UnroutableError, NotConfirmedError) as error:
            ended(error)
        except Exception as bug:  # noqa: BLE001 - whoever posted it waits to hear of its end
            ended(not_composed(bug))
        else:
            ended(None)


@dataclass(frozen=True, slots=True)
class Publishers:
    """A connection for what goes to callers and one for the rest: trouble on one spares the other."""

    replies: Publishes
    events: Publishes


@asynccontextmanager
async def open_publishers(
    amqp_url: str, timeout_s: float, *, plain: bool, on_back: Callable[[], None] = lambda: None
) -> AsyncGenerator[Publishers]:
    """Connect for publishing; the connections come back by themselves after a broker's restart.

    Args:
        amqp_url: The broker.
        timeout_s: Seconds to connect.
        plain: Messages leave by the client library's public API: slower, and independent of its insides.
        on_back: Is told when the callers' connection was lost and stands again.
    """
    async with AsyncExitStack() as ends:
        async with asyncio.timeout(timeout_s):
            replies = await ends.enter_async_context(_a_publisher(amqp_url, on_back, plain=plain))
            events = await ends.enter_async_context(_a_publisher(amqp_url, lambda: None, plain=plain))
        yield Publishers(replies, events)


@asynccontextmanager
async def _a_publisher(
    amqp_url: str, on_back: Callable[[], None], *, plain: bool
) -> AsyncGenerator[Publishes]:
    kind = aio_pika.RobustConnection if plain else TappedConnection
    connection = await aio_pika.connect_robust(
        amqp_url, reconnect_interval=RECONNECT_INTERVAL_S, connection_class=kind
    )
    connection.reconnect_callbacks.add(lambda _connection: on_back())
    try:
        if isinstance(connection, TappedConnection):
            publisher = await WirePublisher.open(connection)
        else:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            publisher = PlainPublisher(connection, channel)
        try:
            yield publisher
        finally:
            publisher.close()
    finally:
        await close_connection(connection)
