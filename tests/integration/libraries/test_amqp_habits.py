"""What is relied on in FastStream, aio-pika and aiormq, seen on a real broker.

Each test says what the library does today and what here stands on it. One that fails after an upgrade says
what to change; most of these habits are defended against rather than liked.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError, PublishError

from harness.broker import SharedBroker
from harness.habits import relied_on
from harness.waiting import until

pytestmark = pytest.mark.sockets

SUBSCRIBING = "services/worker/src/fleet_worker/door/subscribing.py"
HANDS = "services/worker/src/fleet_worker/door/hands.py"
PATIENCE_S = 20.0
BACK_S = 60.0


@pytest.fixture
async def connection(vhost: str) -> AsyncIterator[Any]:
    """A connection that mends itself, as FastStream and the publishers have one."""
    async with await aio_pika.connect_robust(vhost, reconnect_interval=0.2) as connected:
        yield connected


async def a_queue(connection: Any, **arguments: Any) -> AbstractQueue:
    channel = await connection.channel()
    name = f"deepseek.reply.acme.{uuid4().hex[:8]}"
    return await channel.declare_queue(name, durable=True, arguments=arguments)


def mended(connection: Any) -> asyncio.Event:
    """Set when it was lost and is back, with its channels, queues and consumers: later than `connected`."""
    back = asyncio.Event()

    def tell(*_: object) -> None:
        back.set()

    connection.reconnect_callbacks.add(tell)
    return back


async def leave(message: AbstractIncomingMessage) -> None:
    del message


async def publish(connection: Any, queue: str, **properties: Any) -> Any:
    channel = await connection.channel(on_return_raises=True)
    return await channel.default_exchange.publish(aio_pika.Message(b"{}", **properties), queue)


async def test_a_channel_that_closes_ends_every_future_of_its_closing(connection: Any):
    queue = await a_queue(connection)
    taken: asyncio.Queue[Any] = asyncio.Queue()

    async def take(message: AbstractIncomingMessage) -> None:
        taken.put_nowait(message.channel)

    await queue.consume(take)
    await publish(connection, queue.name)
    channel = await asyncio.wait_for(taken.get(), PATIENCE_S)
    told = [channel.closing, channel.closing]
    with pytest.raises(AMQPError):
        await queue.channel.declare_queue("no such queue", passive=True)
    done, _ = await asyncio.wait(told, timeout=2 * PATIENCE_S)
    relied_on(
        "aiormq",
        len(done) == len(told),
        "a channel's `closing` is done when the broker closes it",
        f"find what tells of a channel's end now, and mend {HANDS}: else a call that nobody counts on "
        "goes on for ever",
    )


async def test_a_lost_connection_ends_the_closing_of_its_channels(vhost: str):
    connected = await aio_pika.connect(vhost)
    channel: Any = await (await connected.channel()).get_underlay_channel()
    closing: asyncio.Future[Any] = channel.closing
    assert connected.transport is not None
    await connected.transport.connection.close(ConnectionError())
    done, _ = await asyncio.wait([closing], timeout=PATIENCE_S)
    relied_on(
        "aiormq",
        done,
        "a connection that is lost ends its channels' `closing` too",
        f"find what tells of a connection's end now, and mend {HANDS}",
    )


async def test_a_consumer_that_was_cancelled_while_the_broker_was_away_does_not_come_back(
    broker: SharedBroker, connection: Any
):
    queue = await a_queue(connection)
    tag, kept = await queue.consume(leave), await queue.consume(leave)
    back = mended(connection)
    await broker.stop_app()
    try:
        await until(lambda: not connection.connected.is_set())
        cancelling = asyncio.create_task(queue.cancel(tag, timeout=0.1))
        done, waiting = await asyncio.wait([cancelling], timeout=1)
        cancelling.cancel()
        await asyncio.gather(cancelling, return_exceptions=True)
    finally:
        await broker.start_app()
    await asyncio.wait_for(back.wait(), BACK_S)
    channel: Any = await queue.channel.get_underlay_channel()
    await until(lambda: kept in channel.consumers)
    relied_on(
        "aio-pika",
        tag not in channel.consumers,
        "queue.cancel forgets the consumer before it asks the broker, so that a recovery leaves it out",
        f"mend `cancel` in {SUBSCRIBING}: a drain while the broker is away must last",
    )
    relied_on(
        "aio-pika",
        waiting and not done,
        "the timeout of queue.cancel does not count while it waits for a connection",
        f"the timeouts around calls in {SUBSCRIBING} may become arguments again",
    )


async def test_a_queue_that_was_deleted_is_declared_again_by_a_connection_that_mends_itself(
    vhost: str, broker: SharedBroker, connection: Any
):
    queue = await a_queue(connection)
    async with await aio_pika.connect(vhost) as other:
        await (await other.channel()).queue_delete(queue.name)
    back = mended(connection)
    await broker.stop_app()
    await broker.start_app()
    await asyncio.wait_for(back.wait(), BACK_S)
    async with await aio_pika.connect(vhost) as other:
        there = True
        try:
            await (await other.channel()).declare_queue(queue.name, passive=True)
        except AMQPError:
            there = False
    relied_on(
        "aio-pika",
        there,
        "a robust connection declares the queues that it knew, without a word",
        "nothing breaks: fleet_client.broker.link, which mends its connections itself, may use it then",
    )


async def test_two_publishes_under_one_message_id_get_each_others_answer(connection: Any):
    queue = await a_queue(connection)
    exchange: AbstractExchange = (await connection.channel(on_return_raises=True)).default_exchange
    taken, returned = await asyncio.gather(
        exchange.publish(aio_pika.Message(b"", message_id="one"), "no such queue"),
        exchange.publish(aio_pika.Message(b"", message_id="one"), queue.name),
        return_exceptions=True,
    )
    relied_on(
        "aiormq",
        isinstance(returned, PublishError) and not isinstance(taken, PublishError),
        "a message that comes back is matched with its publish by message_id",
        "nothing breaks: every publish has a random message_id for this reason, and may then have another",
    )


async def test_a_first_try_to_connect_fails_at_once_and_no_later_one_does():
    failed = False
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        port = nobody.getsockname()[1]
        async with asyncio.timeout(PATIENCE_S):
            try:
                await aio_pika.connect_robust(f"amqp://guest:guest@127.0.0.1:{port}/")
            except (AMQPError, OSError):
                failed = True
    relied_on(
        "aio-pika",
        failed,
        "connect_robust raises where its first try fails",
        "look at how a worker starts without a broker: it must end with a sentence, not wait for ever",
    )


async def test_what_no_queue_takes_is_raised_only_by_a_channel_that_was_told_to(connection: Any):
    with pytest.raises(PublishError):
        await publish(connection, "no such queue")
    silent = await connection.channel()
    answer = await silent.default_exchange.publish(aio_pika.Message(b""), "no such queue")
    relied_on(
        "aio-pika",
        answer is not None,
        "a channel without on_return_raises hands over what came back as if it had been taken",
        "nothing breaks: channels that publish for callers are opened with on_return_raises=True",
    )
