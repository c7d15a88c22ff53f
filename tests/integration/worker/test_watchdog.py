"""Consumers that look alive and bring nothing, on a real broker: found and begun anew."""

from typing import Any

import httpx
import pytest

from fleet_chassis.clock import SystemClock
from fleet_contracts.topology import REQUESTS
from fleet_worker.door.consumer import Door
from fleet_worker.door.watchdog import Watchdog
from fleet_worker.observing import Observer
from harness.house import House, a_house
from harness.waiting import until

pytestmark = pytest.mark.sockets

ASKED: dict[str, Any] = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Why?"}]}


async def lose_the_consumer(door: Door, *, believed: bool) -> None:
    """Have the broker forget the consumer of the interactive lane behind the framework's back."""
    (consumer,) = [one for one in door.consumers() if one.queue == REQUESTS]
    subscriber: Any = door._subscribers[consumer]  # pyright: ignore[reportPrivateUsage]
    tag = subscriber._consumer_tag
    channel = await subscriber._queue_obj.channel.get_underlay_channel()
    callback = channel.consumers[tag]
    await channel.basic_cancel(tag)
    if believed:
        channel.consumers[tag] = callback


async def watched(house: House, revived: list[str]) -> Watchdog:
    class Told(Observer):
        def __init__(self) -> None: ...

        def consumer_revived(self, queue: str, why: str) -> None:
            assert queue == REQUESTS
            revived.append(why)

    async def reach() -> None: ...

    return Watchdog(house.worker.door, reach, Told(), SystemClock())


@pytest.mark.parametrize(("believed", "why"), [(True, "silent"), (False, "gone")])
async def test_a_consumer_that_the_broker_forgot_is_found_and_its_queue_is_served_again(
    fleet_vhost: str, believed: bool, why: str
):
    revived: list[str] = []
    async with a_house(fleet_vhost) as house:
        await lose_the_consumer(house.worker.door, believed=believed)
        assert house.worker.readiness.why_not() is None  # it looks alive
        await house.caller.ask(ASKED)
        await house.caller.silence()
        watchdog = await watched(house, revived)
        while not revived:
            await watchdog.look()
        assert (await house.caller.until_end())[-1]["kind"] == "result"
    assert revived == [why]


async def test_healthy_consumers_are_left_alone(fleet_vhost: str):
    revived: list[str] = []
    async with a_house(fleet_vhost) as house:
        watchdog = await watched(house, revived)
        for _ in range(3):
            await house.caller.ask(ASKED)
            await watchdog.look()
            await house.caller.until_end()
    assert revived == []


async def test_the_health_port_says_started_alive_and_ready_and_why_not_in_a_drain(fleet_vhost: str):
    async with a_house(fleet_vhost) as house, httpx.AsyncClient(base_url=house.worker.health_url) as http:
        for probe, fine in (("startupz", "started"), ("livez", "alive"), ("readyz", "ready")):
            answer = await http.get(f"/{probe}")
            assert (answer.status_code, answer.text) == (200, f"{fine}\n")
        await house.worker.drain(1)
        await until(lambda: house.worker.readiness.why_not() is not None)
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "The worker is draining.\n")
        assert (await http.get("/livez")).status_code == 200
