"""With a real worker: giving up closes DeepSeek's socket and is told, and a wait in the queue is known."""

import asyncio
from contextlib import aclosing

import httpx
import pytest

from fleet_client import Cancelled, Fleet, NoReply, Text
from fleet_simulator.faults import Fault, Kind, Match
from harness.house import House, a_house
from harness.until_told import until_told

pytestmark = pytest.mark.sockets

STALLED = Fault(Kind.STALL, match=Match(), after_chunks=3, times=1)
PATIENCE_S = 60


async def until_left(house: House) -> None:
    """Until the caller of a stalled answer is gone."""
    await house.simulator.log.wait_for(
        lambda event: event.kind == "closed" and event.fields["reason"] == "client_gone", within=PATIENCE_S
    )


async def read_a_little(fleet: Fleet, correlation_id: str) -> None:
    async with aclosing(fleet.stream("Tell me of the sea", id=correlation_id, thinking=False)) as events:
        async for event in events:
            if isinstance(event, Text):
                return


async def whole(fleet: Fleet, retry: int) -> str:
    """The text of what `read_a_little` has left, asked again under its ID."""
    events = fleet.stream("Tell me of the sea", id="ticket-88", retry=retry, thinking=False)
    return "".join([event.text async for event in events if isinstance(event, Text)])


async def test_a_stream_that_is_left_early_stops_deepseek_and_is_told_on_the_results(
    fleet_vhost: str,
) -> None:
    async with (
        asyncio.timeout(PATIENCE_S),
        a_house(fleet_vhost) as house,
        Fleet(house.url) as fleet,
        aclosing(fleet.results("ends")) as outcomes,
    ):
        told = asyncio.ensure_future(anext(outcomes))
        # A first request that ends by itself shows that the queue is there.
        while not told.done():
            await fleet.submit("hi", thinking=False)
            await asyncio.wait([told], timeout=0.5)
        house.simulator.inject(STALLED)
        await read_a_little(fleet, "enough")
        await until_left(house)
        outcome = await told
        while outcome.id != "enough":
            outcome = await anext(outcomes)
    assert isinstance(outcome.error, Cancelled)


async def test_a_call_whose_time_is_over_stops_deepseek(fleet_vhost: str) -> None:
    async with a_house(fleet_vhost) as house, Fleet(house.url, grace_s=0) as fleet:
        house.simulator.inject(STALLED)
        with pytest.raises(NoReply):
            await fleet.complete("hi", timeout_s=2)
        await until_left(house)


async def test_a_cancelled_request_is_asked_anew_by_counting_up_retry(fleet_vhost: str) -> None:
    async with a_house(fleet_vhost) as house, Fleet(house.url) as fleet, asyncio.timeout(PATIENCE_S):
        house.simulator.inject(STALLED)
        await read_a_little(fleet, "ticket-88")
        await until_left(house)
        with pytest.raises(Cancelled):
            await whole(fleet, 0)
        assert await whole(fleet, 1)


async def waited_s(house: House) -> float | None:
    """How long the worker's requests have waited in their queues, in sum; None where it has had none."""
    async with httpx.AsyncClient() as http:
        page = (await http.get(f"{house.worker.health_url}/metrics")).text
    told = dict(
        line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("fleet_queue_wait_seconds_")
    )
    if not float(told['fleet_queue_wait_seconds_count{lane="interactive"}']):
        return None
    return float(told['fleet_queue_wait_seconds_sum{lane="interactive"}'])


async def test_how_long_a_request_waited_in_its_queue_is_known(fleet_vhost: str) -> None:
    async with Fleet(fleet_vhost) as fleet:
        await fleet.submit("hi", thinking=False)
        await asyncio.sleep(0.3)
        async with a_house(fleet_vhost) as house:
            waited = await until_told(lambda: waited_s(house), deadline_s=PATIENCE_S)
    assert 0.3 <= waited < PATIENCE_S
