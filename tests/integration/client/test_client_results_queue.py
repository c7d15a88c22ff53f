"""Following results over a real broker: the queue, and what a break costs."""

import asyncio
from contextlib import aclosing
from urllib.parse import unquote, urlsplit

import aio_pika
import orjson
import pytest

from fleet_client import BrokerUnreachable, Fleet
from fleet_contracts.topology import RESULTS
from harness import replies as wire
from harness.broker import SharedBroker
from harness.queues import until_read, until_waiting

pytestmark = pytest.mark.sockets

QUEUE = "deepseek.reply.default.results.invoices"


async def send(url: str, *messages: tuple[str, bytes], key: str = "result.default.deepseek-flash") -> None:
    """Publish as a worker does."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        results = await channel.get_exchange(RESULTS)
        for correlation_id, body in messages:
            mode = aio_pika.DeliveryMode.PERSISTENT
            await results.publish(
                aio_pika.Message(body, correlation_id=correlation_id, delivery_mode=mode), key
            )


def result(correlation_id: str) -> tuple[str, bytes]:
    return correlation_id, orjson.dumps(wire.result(correlation_id, "text"))


async def test_what_is_no_outcome_is_taken_away_and_not_shown(fleet_vhost: str) -> None:
    async with Fleet(fleet_vhost) as fleet, aclosing(fleet.results("invoices")) as outcomes:
        first = asyncio.ensure_future(anext(outcomes))
        async with asyncio.timeout(60):
            while not first.done():
                await send(fleet_vhost, ("x", b"no json"), ("y", orjson.dumps(wire.chunk("y", 0, "hi"))))
                await send(fleet_vhost, result("a"))
                await asyncio.wait([first], timeout=0.2)
        assert (await first).id == "a"


async def test_a_break_of_the_connection_repeats_only_what_was_not_finished(
    fleet_vhost: str, broker: SharedBroker
) -> None:
    vhost = unquote(urlsplit(fleet_vhost).path[1:])
    seen: list[str] = []
    async with Fleet(fleet_vhost) as fleet, asyncio.timeout(60):
        await make_queue(fleet, fleet_vhost)
        await send(fleet_vhost, *(result(word) for word in "abcd"))
        async for outcome in fleet.results("invoices"):
            seen.append(outcome.id)
            if outcome.id == "b":
                await broker.ctl("close_all_connections", "--vhost", vhost, "cut by a test")
            if outcome.id == "d":
                break
    assert seen in (["a", "b", "c", "d"], ["a", "b", "b", "c", "d"])


async def test_outcomes_outlive_a_restart_of_the_broker_and_of_the_reader(
    fleet_vhost: str, broker: SharedBroker
) -> None:
    async with Fleet(fleet_vhost) as fleet:
        await make_queue(fleet, fleet_vhost)
    await send(fleet_vhost, result("a"), result("b"))
    await broker.settle()
    await broker.stop_app()
    await broker.start_app()
    async with Fleet(fleet_vhost) as fleet, asyncio.timeout(60), aclosing(fleet.results("invoices")) as found:
        assert [(await anext(found)).id, (await anext(found)).id] == ["a", "b"]
    # The second was not finished.
    await until_waiting(fleet_vhost, QUEUE, 1)


async def test_other_bounds_under_the_same_name_are_told_at_once(fleet_vhost: str) -> None:
    async with Fleet(fleet_vhost, connect_timeout_s=60) as fleet, asyncio.timeout(30):
        await make_queue(fleet, fleet_vhost)
        with pytest.raises(BrokerUnreachable, match="other bounds"):
            await anext(fleet.results("invoices", max_messages=5))


async def test_a_broker_without_the_topology_is_told_at_once(vhost: str) -> None:
    async with Fleet(vhost, connect_timeout_s=60) as fleet, asyncio.timeout(30):
        with pytest.raises(BrokerUnreachable, match="fleet topology apply"):
            await anext(fleet.results("invoices"))


async def make_queue(fleet: Fleet, url: str) -> None:
    async with aclosing(fleet.results("invoices")) as outcomes:
        waiting = asyncio.ensure_future(anext(outcomes))
        await until_read(url, QUEUE)
        waiting.cancel()
        await asyncio.wait([waiting])
