"""The newest RabbitMQ that Debian packages, in every run, whatever this run's broker is.

It counts redeliveries and times consumers otherwise than the RabbitMQ that an older Debian has.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from fleet_chassis.topology import apply
from fleet_cli.stack.errors import UnavailableError
from fleet_contracts.topology import DELIVERY_LIMIT, REQUESTS, Topology, topology
from fleet_simulator.answers import expected_text
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind, Match
from fleet_worker.bootstrap import start_worker
from harness.broker import SharedBroker, shared_broker
from harness.caller import a_caller, dead_letters, text_of, until_buried
from harness.house import a_house, worker_settings
from harness.rabbitmq import NEWEST
from harness.waiting import until

pytestmark = pytest.mark.sockets

CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Tell me of the sea"}],
    "thinking": {"type": "disabled"},
}
STREAMED = {**CALM, "stream": True}
PRO = {**CALM, "model": "deepseek-v4-pro"}
PACED = SimulatorConfig(timing=Timing(headers=0, first_token=0, tokens_per_second=45))
BUSY = Fault(Kind.STATUS, status=429, retry_after="5", times=1, match=Match(model="deepseek-v4-pro"))
TIMEOUT_MS = 1000
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def newest(private_environ: Mapping[str, str]) -> Iterator[SharedBroker]:
    """A broker beside the run's own; skips where its packages can't be had."""
    with ExitStack() as ends:
        try:
            running = ends.enter_context(shared_broker(private_environ, NEWEST))
        except UnavailableError as nowhere:
            pytest.skip(str(nowhere))
        yield running


@pytest.fixture
async def newest_vhost(newest: SharedBroker) -> AsyncIterator[str]:
    """The URL of a virtual host on it, without the fleet's exchanges and queues."""
    name = f"test-{uuid4().hex}"
    yield await newest.add_vhost(name)
    await newest.delete_vhost(name)


def impatient(timeout_ms: int) -> Topology:
    """The fleet's topology with another consumer timeout."""
    parts, name = topology(), "x-consumer-timeout"
    queues = (
        replace(queue, arguments={**queue.arguments, name: timeout_ms}) if name in queue.arguments else queue
        for queue in parts.queues
    )
    return replace(parts, queues=tuple(queues))


async def give_back(url: str, times: int) -> None:
    """Take one request so many times, and give it back as a worker does."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.get_queue(REQUESTS)
        async with queue.iterator(timeout=PATIENCE_S) as deliveries:
            async for message in deliveries:
                await message.nack(requeue=True)
                times -= 1
                if not times:
                    return


async def lose(url: str) -> None:
    """Take one request, and go away with it in hand."""
    async with await aio_pika.connect(url) as connection:
        await (await (await connection.channel()).get_queue(REQUESTS)).get()


async def outlive_the_timeout(url: str, times: int) -> list[Any]:
    """Take one request so many times, each for longer than the broker allows; what it had counted before."""
    counted: list[Any] = []
    for _ in range(times):
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            below = await channel.get_underlay_channel()
            came, taken_back = asyncio.Event(), asyncio.Event()

            async def hold(message: AbstractIncomingMessage, came: asyncio.Event = came) -> None:
                counted.append(message.headers.get("x-acquired-count", 0))
                came.set()

            def tell(_: object, taken_back: asyncio.Event = taken_back) -> None:
                taken_back.set()

            below.on_consumer_cancel_callbacks.add(tell)
            await (await channel.get_queue(REQUESTS)).consume(hold)
            async with asyncio.timeout(PATIENCE_S):
                await came.wait()
                await taken_back.wait()
    return counted


async def test_it_carries_a_request_a_stream_a_redelivery_and_a_parked_request(newest_vhost: str):
    await apply(newest_vhost)
    async with a_caller(newest_vhost) as caller, a_caller(newest_vhost) as patient:
        lost = await caller.ask(STREAMED)
        await lose(newest_vhost)
        async with a_house(newest_vhost, retry_held_s=1) as house:
            house.simulator.inject(BUSY)
            await patient.ask(PRO)
            again = await caller.until_end()
            await caller.ask(CALM)
            result = (await caller.until_end())[-1]
            await caller.ask(STREAMED)
            stream = await caller.until_end()
            parked = (await patient.until_end())[-1]
        assert await dead_letters(newest_vhost) == []
    assert (again[0]["kind"], again[0]["reason"]) == ("restarted", "worker_lost")
    assert (again[-1]["id"], again[-1]["attempt"]) == (f"{lost}:final", 2)
    assert (result["kind"], result["attempts"]) == ("result", 1)
    assert text_of(stream) == expected_text(STREAMED)[1]
    assert (parked["kind"], parked["attempts"]) == ("result", 2)


async def test_a_call_that_outlives_the_consumer_timeout_is_made_once_and_ends_once(
    newest_vhost: str, store_url: str
):
    # Up to 4.3.6 the broker gives the delivery to the next worker, and takes the first one's connection away.
    await apply(newest_vhost, impatient(TIMEOUT_MS))
    async with a_house(newest_vhost, PACED, REDIS_URL=store_url) as house:
        other = worker_settings(
            newest_vhost, house.simulator.base_url, worker_name="w-2", REDIS_URL=store_url
        )
        async with start_worker(other):
            await house.caller.ask(STREAMED)
            replies = await house.caller.until_end()
            await until(lambda: house.worker.supervisor.running == 0)
            calls = house.simulator.log.events(kind="admitted")
    assert await dead_letters(newest_vhost) == []
    assert text_of(replies) == expected_text(STREAMED)[1]
    assert (replies[-1]["kind"], len(calls)) == ("result", 1)


async def test_what_outlives_the_consumer_timeout_again_and_again_is_no_endless_round(
    newest_vhost: str, monkeypatch: pytest.MonkeyPatch
):
    # The broker's own limit does not count these: without the worker's, each round would be paid, for ever.
    monkeypatch.setattr("fleet_worker.door.intake.DELIVERY_LIMIT", 2)
    await apply(newest_vhost, impatient(TIMEOUT_MS))
    async with a_caller(newest_vhost) as caller:
        asked = await caller.ask(CALM)
        assert await outlive_the_timeout(newest_vhost, 3) == [0, 1, 2]
        assert await dead_letters(newest_vhost) == []
        async with a_house(newest_vhost) as house:
            failure = await caller.next()
            (record,) = await until_buried(newest_vhost)
            calls = house.simulator.log.events(kind="admitted")
    assert (failure["code"], failure["id"], calls) == ("crash_loop", f"{asked}:final", [])
    assert "consumer timeout" in failure["message"]
    assert record.headers["fleet-dead-reason"] == "delivery_limit"


async def test_what_workers_give_back_for_ever_ends_though_the_broker_no_longer_counts_it(newest_vhost: str):
    await apply(newest_vhost)
    async with a_caller(newest_vhost) as caller:
        asked = await caller.ask(CALM)
        await give_back(newest_vhost, DELIVERY_LIMIT + 1)
        async with a_house(newest_vhost) as house:
            failure = await caller.next()
            (record,) = await until_buried(newest_vhost)
            calls = house.simulator.log.events(kind="admitted")
    assert (failure["code"], failure["id"], calls) == ("crash_loop", f"{asked}:final", [])
    assert record.headers["fleet-dead-reason"] == "delivery_limit"
