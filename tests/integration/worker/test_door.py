"""The door with a real broker: what it leaves behind, and how soon its silence is noticed."""

from urllib.parse import urlsplit

import pytest

from fleet_chassis.broker import HEARTBEAT_S
from fleet_worker.delivery import Delivery
from fleet_worker.door.consumer import Door
from fleet_worker.door.queues import Consumer
from fleet_worker.door.subscribing import AWAY
from fleet_worker.outcome import Outcome
from harness.broker import SharedBroker
from harness.house import a_house

pytestmark = pytest.mark.sockets


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
