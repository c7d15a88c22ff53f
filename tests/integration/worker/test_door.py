"""The door with a real broker: what it leaves behind, and how soon its silence is noticed."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest

from fleet_chassis.broker import HEARTBEAT_S
from fleet_contracts.topology import REQUESTS
from fleet_worker.delivery import Delivery
from fleet_worker.door.consumer import Door
from fleet_worker.door.queues import Consumer
from fleet_worker.door.subscribing import AWAY
from fleet_worker.outcome import Outcome
from harness.broker import SharedBroker
from harness.caller import a_caller
from harness.house import a_house
from harness.waiting import until

pytestmark = pytest.mark.sockets

ASKED: dict[str, Any] = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Why?"}]}


async def nothing(delivery: Delivery) -> Outcome:
    del delivery
    return Outcome.DONE


async def channels_of(door: Door) -> int:
    connection = await door._broker.connect()  # pyright: ignore[reportPrivateUsage]
    assert connection.transport is not None
    return len(connection.transport.connection.channels)


async def test_a_queue_that_is_not_there_costs_no_channel_however_often_it_is_looked_for(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        door = house.worker.door
        before = await channels_of(door)
        for _ in range(5):
            with pytest.raises(AWAY):
                await door.add(Consumer("deepseek.requests.batch.nobody", 1, nothing))
        assert await channels_of(door) <= before + 1
        assert house.worker.readiness.why_not() is None


async def test_the_broker_gives_up_a_silent_worker_soon(broker: SharedBroker, fleet_vhost: str):
    async with a_house(fleet_vhost):
        connections = await broker.ctl("list_connections", "vhost", "timeout")
    vhost = urlsplit(fleet_vhost).path[1:]
    timeouts = [line.split()[1] for line in connections.splitlines() if vhost in line]
    # To consume, to publish, to be the only worker; the caller's has the broker's own.
    others = [timeout for timeout in timeouts if timeout != str(HEARTBEAT_S)]
    assert (len(timeouts) > 3, len(others)) == (True, 1)


async def test_a_worker_that_is_stopped_while_its_broker_is_away_ends_soon_and_takes_nothing_more(
    fleet_vhost: str, broker: SharedBroker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fleet_worker.door.subscribing.ANSWER_TIMEOUT_S", 1)
    async with a_house(fleet_vhost) as house:
        await broker.stop_app()
        try:
            await until(lambda: house.worker.readiness.why_not() is not None, deadline_s=60)
            async with asyncio.timeout(60):
                await house.worker.drain(grace_s=1)
        finally:
            await broker.start_app()
        async with a_caller(house.url) as again:
            await again.ask(ASKED)
            await again.silence()
        async with await aio_pika.connect(house.url) as connection:
            queue = await (await connection.channel()).get_queue(REQUESTS)
        assert queue.declaration_result.message_count == 1
