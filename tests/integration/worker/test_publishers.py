"""Both ways of publishing, on a real broker: what is confirmed, refused, returned, lost and held back.

What the fast way needs of the client library's insides is here too: a release that changes them fails here,
before it reaches a worker. FLEET_PLAIN_PUBLISH=true does without them.
"""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractQueue

from fleet_worker.replies.outgoing import NotConfirmedError, Outgoing, Publishes, UnroutableError
from fleet_worker.replies.publisher import open_publishers
from fleet_worker.replies.wire import TappedConnection, WirePublisher
from harness.broker import SharedBroker
from harness.waiting import until

pytestmark = pytest.mark.sockets
both_ways = pytest.mark.parametrize("plain", [False, True], ids=["wire", "public_api"])


async def a_queue(channel: AbstractChannel, **arguments: Any) -> AbstractQueue:
    # In a queue that outlives its connection, for some tests restart the broker.
    return await channel.declare_queue(
        f"deepseek.reply.acme.{uuid4().hex[:8]}", durable=True, arguments=arguments
    )


def to(queue: str, body: bytes = b"{}", **more: Any) -> Outgoing:
    return Outgoing(exchange="", routing_key=queue, body=body, **more)


async def surely(publishes: Publishes, message: Outgoing) -> None:
    """Publish as terminal replies are: again while the channel is on its way back."""
    async with asyncio.timeout(30):
        while True:
            with suppress(NotConfirmedError):
                return await publishes.publish(message)
            await asyncio.sleep(0.05)


async def again_and_again(publishes: Publishes, message: Outgoing) -> None:
    """Publish until one fails."""
    async with asyncio.timeout(20):
        while True:
            await publishes.publish(message)


@both_ways
async def test_what_is_taken_refused_and_returned_is_told_apart_in_one_go(fleet_vhost: str, plain: bool):
    async with await aio_pika.connect(fleet_vhost) as connection:
        channel = await connection.channel()
        free = await a_queue(channel)
        full = await a_queue(channel, **{"x-max-length": 1, "x-overflow": "reject-publish"})
        await channel.default_exchange.publish(aio_pika.Message(b"in the way"), full.name)
        async with open_publishers(fleet_vhost, 20, plain=plain) as publishers:
            told: dict[int, Exception | None] = {}

            def tell(number: int, error: Exception | None) -> None:
                told[number] = error

            for number in range(90):
                queue = (free.name, full.name, "deepseek.reply.acme.gone")[number % 3]
                message = to(queue, str(number).encode(), headers={"fleet-seq": number})
                publishers.replies.post(lambda m=message: m, lambda error, n=number: tell(n, error))
            await until(lambda: len(told) == 90)
        kinds = [type(told[number]) for number in range(90)]
        assert kinds == [type(None), NotConfirmedError, UnroutableError] * 30
        arrived = [await free.get(no_ack=True) for _ in range(30)]
    assert [int(message.body) for message in arrived] == list(range(0, 90, 3))
    assert [message.headers["fleet-seq"] for message in arrived] == list(range(0, 90, 3))
    assert len({message.message_id for message in arrived}) == 30


@both_ways
async def test_a_message_of_many_frames_arrives_whole(fleet_vhost: str, plain: bool):
    body = bytes(range(256)) * 32 * 1024
    async with await aio_pika.connect(fleet_vhost) as connection:
        queue = await a_queue(await connection.channel())
        async with open_publishers(fleet_vhost, 20, plain=plain) as publishers:
            await publishers.replies.publish(to(queue.name, body))
            await publishers.replies.publish(to(queue.name, b"after it"))
        assert (await queue.get(no_ack=True)).body == body
        assert (await queue.get(no_ack=True)).body == b"after it"


@both_ways
async def test_a_channel_that_the_broker_closes_comes_back(fleet_vhost: str, plain: bool):
    async with await aio_pika.connect(fleet_vhost) as connection:
        queue = await a_queue(await connection.channel())
        async with open_publishers(fleet_vhost, 20, plain=plain) as publishers:
            for _ in range(3):
                with pytest.raises(NotConfirmedError):
                    await publishers.replies.publish(Outgoing(exchange="none", routing_key="k", body=b""))
                await publishers.events.publish(to(queue.name))
                await surely(publishers.replies, to(queue.name))


@both_ways
async def test_a_broker_that_restarts_fails_what_was_on_its_way_and_takes_what_waited(
    fleet_vhost: str, broker: SharedBroker, plain: bool
):
    async with open_publishers(fleet_vhost, 20, plain=plain) as publishers:
        async with await aio_pika.connect(fleet_vhost) as connection:
            queue = await a_queue(await connection.channel())
        await publishers.replies.publish(to(queue.name))
        await broker.stop_app()
        await until(lambda: not publishers.replies.connected)
        waiting = asyncio.create_task(publishers.replies.publish(to(queue.name)))
        await broker.start_app()
        await until(lambda: publishers.replies.connected, deadline_s=60)
        await asyncio.gather(waiting, return_exceptions=True)
        await surely(publishers.replies, to(queue.name))


@both_ways
async def test_a_broker_short_of_memory_is_given_nothing_until_it_recovers(
    fleet_vhost: str, broker: SharedBroker, plain: bool, monkeypatch: pytest.MonkeyPatch
):
    module = "publisher" if plain else "pipeline"
    monkeypatch.setattr(f"fleet_worker.replies.{module}.CONFIRM_TIMEOUT_S", 0.5)
    async with await aio_pika.connect(fleet_vhost) as connection:
        queue = await a_queue(await connection.channel())
    async with open_publishers(fleet_vhost, 20, plain=plain) as publishers:
        await broker.ctl("set_vm_memory_high_watermark", "0.00001")
        try:
            # The broker blocks a connection at a publish, soon after it has found that it is short.
            with pytest.raises(NotConfirmedError):
                await again_and_again(publishers.replies, to(queue.name))
        finally:
            await broker.ctl("set_vm_memory_high_watermark", "0.4")
        monkeypatch.setattr(f"fleet_worker.replies.{module}.CONFIRM_TIMEOUT_S", 10)
        await surely(publishers.replies, to(queue.name))


async def test_a_channel_that_answers_nothing_any_more_is_given_up_for_a_new_one(
    fleet_vhost: str, broker: SharedBroker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fleet_worker.replies.pipeline.CONFIRM_TIMEOUT_S", 0.3)
    monkeypatch.setattr("fleet_worker.replies.pipeline.SILENT_S", 0.5)
    async with await aio_pika.connect(fleet_vhost) as connection:
        queue = await a_queue(await connection.channel())
    async with open_publishers(fleet_vhost, 20, plain=False) as publishers:
        await publishers.replies.publish(to(queue.name))
        async with broker.deaf_channels(fleet_vhost):
            await surely(publishers.replies, to(queue.name))


async def test_the_client_library_leaves_the_wire_s_channel_alone(fleet_vhost: str):
    connection = await aio_pika.connect_robust(fleet_vhost, connection_class=TappedConnection)
    async with connection:
        publisher = await WirePublisher.open(connection)
        queue = await a_queue(await connection.channel())
        for _ in range(5):
            await publisher.publish(to(queue.name))
        below: Any = await publisher.channel.get_underlay_channel()
        assert publisher.channel.number == below.number == connection.tap.channel
        assert (below.delivery_tag, list(below.confirmations), list(below.message_id_delivery_tag)) == (
            0,
            [],
            [],
        )
        assert connection.tap.frame_max == below.connection.connection_tune.frame_max > 0
        publisher.close()


async def test_answers_that_the_client_library_never_sees_still_count_as_a_sign_of_life(
    fleet_vhost: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fleet_worker.replies.wire.SIGN_OF_LIFE_S", 1)
    # With a heartbeat of 1 s the library gives a silent connection 6 s.
    connection = await aio_pika.connect_robust(
        f"{fleet_vhost}?heartbeat=1", connection_class=TappedConnection
    )
    async with connection:
        publisher = await WirePublisher.open(connection)
        queue = await a_queue(await connection.channel())
        first = connection.tap
        passed: list[bytes] = []
        receive = first.inner.data_received

        def keep(data: bytes) -> None:
            passed.append(data)
            receive(data)

        monkeypatch.setattr(first.inner, "data_received", keep)
        for _ in range(80):
            await publisher.publish(to(queue.name))
            await asyncio.sleep(0.1)
        assert connection.tap is first
        assert connection.connected.is_set()
        assert len(passed) >= 5
        publisher.close()
