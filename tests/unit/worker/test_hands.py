"""What is in hand of a channel, and what a lost channel does to it: with a channel of the library's own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import aiormq
import pytest
from aiormq.abc import AbstractChannel, ChannelFrame
from pamqp.commands import Basic, Connection
from pamqp.frame import unmarshal

from fleet_worker.door.hands import Hands
from fleet_worker.door.settling import Settling
from fleet_worker.hold import DeliveryLease
from harness.waiting import until


@pytest.fixture
async def channel() -> Any:
    """A channel that stands as far as it knows; nothing reads what it writes."""
    connection = aiormq.Connection("amqp://127.0.0.1:1/")
    connection.connection_tune = Connection.Tune(frame_max=131072)
    made = aiormq.Channel(connection, 3, publisher_confirms=False)
    yield made
    await made.close(RuntimeError("the test is over"))


async def lost(channel: AbstractChannel) -> None:
    await channel.close(ConnectionError())


def acks_in(payload: bytes) -> Iterator[tuple[int, int]]:
    while payload:
        length, channel, frame = unmarshal(payload)
        assert isinstance(frame, Basic.Ack)
        assert not frame.multiple
        yield channel, frame.delivery_tag
        payload = payload[length:]


def writes_of(channel: AbstractChannel) -> asyncio.Queue[ChannelFrame]:
    untyped: Any = channel
    return untyped.connection.write_queue


def written_on(channel: AbstractChannel) -> list[ChannelFrame]:
    queue = writes_of(channel)
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def test_what_is_in_work_goes_on_without_its_channel_and_knows_it(channel: AbstractChannel):
    hands, lease, may_end, ended = Hands(), DeliveryLease(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        lease.at_work = True
        await may_end.wait()

    hands.take(channel, lease, work(), ended.set)
    await until(lambda: lease.at_work)
    await lost(channel)
    await until(lambda: not lease.held)
    assert not ended.is_set()
    may_end.set()
    await asyncio.wait_for(ended.wait(), 5)


async def test_what_waits_for_room_ends_with_its_channel(channel: AbstractChannel):
    hands, lease, ended = Hands(), DeliveryLease(), asyncio.Event()
    hands.take(channel, lease, asyncio.sleep(60), ended.set)
    await lost(channel)
    await asyncio.wait_for(ended.wait(), 5)
    assert not lease.held


async def test_what_ended_before_its_channel_was_lost_is_forgotten(channel: AbstractChannel):
    hands, lease, ended = Hands(), DeliveryLease(), asyncio.Event()
    hands.take(channel, lease, asyncio.sleep(0), ended.set)
    await asyncio.wait_for(ended.wait(), 5)
    await lost(channel)
    await asyncio.sleep(0)
    assert lease.held


async def test_what_ends_in_one_turn_of_the_loop_is_acknowledged_in_one_write(channel: AbstractChannel):
    settling = Settling()
    for tag in (1, 2**40, 3):
        settling.ack(channel, tag)
    await asyncio.sleep(0)
    settling.ack(channel, 4)
    await asyncio.sleep(0)
    first, second = written_on(channel)
    assert list(acks_in(first.payload)) == [(3, 1), (3, 2**40), (3, 3)]
    assert list(acks_in(second.payload)) == [(3, 4)]


async def test_acks_wait_for_a_connection_that_takes_nothing_now(channel: AbstractChannel):
    queue = writes_of(channel)
    while not queue.full():
        queue.put_nowait(ChannelFrame(b"", should_close=False))
    settling = Settling()
    settling.ack(channel, 1)
    await asyncio.sleep(0)
    settling.ack(channel, 2)
    written_on(channel)
    await until(lambda: queue.qsize() == 1)
    (frame,) = written_on(channel)
    assert list(acks_in(frame.payload)) == [(3, 1), (3, 2)]


async def test_the_last_acks_are_waited_for(channel: AbstractChannel):
    settling = Settling()
    settling.ack(channel, 1)
    waiting = asyncio.create_task(settling.last())
    await until(lambda: bool(writes_of(channel).qsize()))
    assert not waiting.done()
    (frame,) = written_on(channel)
    frame.drain()
    await asyncio.wait_for(waiting, 5)


async def test_nothing_is_acknowledged_on_a_channel_that_is_gone(
    channel: AbstractChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fleet_worker.door.settling._LAST_ACKS_S", 0.05)
    settling = Settling()
    settling.ack(channel, 1)
    await lost(channel)
    written_on(channel)
    settling.ack(channel, 2)
    await asyncio.wait_for(settling.last(), 5)
    assert written_on(channel) == []
