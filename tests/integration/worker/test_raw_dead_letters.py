"""What a real broker dead-letters: each request still gets its one failure, and operators their record."""

import asyncio
from collections.abc import Awaitable, Callable
from operator import methodcaller
from typing import Any

import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from fleet_contracts.topology import (
    CONTROL_CANCELS,
    DEAD,
    DEAD_KEY_RAW,
    DEAD_RAW,
    DELIVERY_LIMIT,
    REQUESTS,
    REQUESTS_BATCH,
)
from harness.caller import a_caller, a_follower, dead_letters, until_buried
from harness.house import a_house
from harness.queues import until_waiting

pytestmark = pytest.mark.sockets

PATIENCE_S = 20.0
CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "CANARY-41"}],
    "thinking": {"type": "disabled"},
}
EXPIRED = {"x-death": [{"reason": "expired", "queue": REQUESTS, "routing-keys": ["interactive.acme"]}]}
FORGED: list[dict[str, Any]] = [
    {"headers": {"x-death": "no list"}},
    {"headers": {"x-death": [1, 2]}},
    {"headers": {"x-death": [{"reason": {"a": 1}, "queue": 7, "routing-keys": "x"}]}},
    {"headers": {"x-death": [{"reason": "expired", "queue": "deepseek.requests", "routing-keys": [[]]}]}},
    {"headers": {"fleet-retry": "many"}},
    {"headers": {"fleet-tenant": {"a": ["b"]}}},
    {"correlation_id": None},
    {"type": "cancel.v1"},
]


async def taken_from(queue: AbstractQueue) -> AbstractIncomingMessage:
    async with asyncio.timeout(PATIENCE_S):
        while (message := await queue.get(fail=False)) is None:  # noqa: ASYNC110 - a queue can only be asked
            await asyncio.sleep(0.02)
    return message


async def test_a_request_that_expired_in_its_queue_fails_as_deadline_exceeded(fleet_vhost: str):
    async with a_caller(fleet_vhost) as caller:
        asked = await caller.ask(CALM, key="batch.acme", expiration=0.05, headers={"fleet-retry": 3})
        await until_waiting(fleet_vhost, DEAD_RAW, 1)
        async with a_follower(fleet_vhost) as follower, a_house(fleet_vhost) as house:
            failure = await caller.next()
            (record,) = await until_buried(fleet_vhost)
            copy = await follower.next()
            calls = house.simulator.log.events(kind="admitted")
        await caller.silence()
    assert (failure["code"], failure["id"]) == ("deadline_exceeded", f"{asked}~3:final")
    assert (copy, calls) == (failure, [])
    assert record.headers["fleet-dead-reason"] == "expired"
    assert record.headers["fleet-dead-queue"] == REQUESTS_BATCH
    assert (record.headers["fleet-tenant"], record.reply_to) == ("acme", caller.reply_to)


@pytest.mark.parametrize("give_back", [methodcaller("nack"), methodcaller("reject", requeue=True)], ids=str)
async def test_a_request_that_every_worker_gave_back_fails_as_crash_loop(
    fleet_vhost: str, give_back: Callable[[AbstractIncomingMessage], Awaitable[None]]
):
    # By nack, as a worker does, the broker itself never ends it from RabbitMQ 4.3 on; the next worker does.
    async with a_caller(fleet_vhost) as caller:
        asked = await caller.ask(CALM)
        queue = await caller.channel.get_queue(REQUESTS)
        for _ in range(DELIVERY_LIMIT + 1):
            await give_back(await taken_from(queue))
        async with a_house(fleet_vhost):
            failure = await caller.next()
            (record,) = await until_buried(fleet_vhost)
    assert (failure["code"], failure["id"]) == ("crash_loop", f"{asked}:final")
    assert record.headers["fleet-dead-reason"] == "delivery_limit"


async def test_a_request_that_somebody_rejected_fails_as_internal(fleet_vhost: str):
    async with a_caller(fleet_vhost) as caller:
        await caller.ask(CALM)
        queue = await caller.channel.get_queue(REQUESTS)
        await (await taken_from(queue)).reject(requeue=False)
        async with a_house(fleet_vhost):
            failure = await caller.next()
            (record,) = await until_buried(fleet_vhost)
    assert failure["code"] == "internal"
    assert record.headers["fleet-dead-reason"] == "rejected"


async def test_a_copy_that_expires_after_its_answer_brings_the_answer_and_no_dead_letter(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        asked = await house.caller.ask(CALM)
        result = (await house.caller.until_end())[-1]
        # Published where nobody consumes, as a copy is that waits behind a long backlog.
        await house.caller.ask(CALM, correlation_id=asked, exchange=DEAD, key=DEAD_KEY_RAW, headers=EXPIRED)
        again = await house.caller.next()
        await house.caller.silence()
        assert await dead_letters(house.url) == []
    assert again == result


@pytest.mark.parametrize("properties", FORGED, ids=str)
async def test_whatever_was_forged_is_buried_once_and_the_janitor_goes_on(
    fleet_vhost: str, properties: dict[str, Any]
):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(CALM, exchange=DEAD, key=DEAD_KEY_RAW, **properties)
        assert len(await until_buried(house.url)) == 1
        await house.caller.ask(CALM, exchange=DEAD, key=DEAD_KEY_RAW)
        assert len(await until_buried(house.url)) == 1
        await house.caller.ask(CALM)
        assert (await house.caller.until_end())[-1]["kind"] in {"result", "failure"}


async def test_a_forged_death_makes_nobody_else_of_its_sender(fleet_vhost: str):
    death = {"reason": "expired", "queue": REQUESTS, "count": 5, "routing-keys": ["interactive.victim"]}
    async with a_caller(fleet_vhost) as caller:
        await caller.ask(CALM, expiration=0.05, headers={"x-death": [death], "fleet-tenant": "acme"})
        await until_waiting(fleet_vhost, DEAD_RAW, 1)
        async with a_house(fleet_vhost):
            failure = await caller.next()
            (record,) = await until_buried(fleet_vhost)
    assert failure["code"] == "deadline_exceeded"
    assert record.headers["fleet-tenant"] == "acme"


async def test_a_cancel_that_nobody_could_carry_out_is_buried(fleet_vhost: str):
    async with a_caller(fleet_vhost) as caller:
        await caller.cancel("c-1")
        queue = await caller.channel.get_queue(CONTROL_CANCELS)
        await (await taken_from(queue)).reject(requeue=False)
        async with a_house(fleet_vhost):
            (record,) = await until_buried(fleet_vhost)
        await caller.silence()
    assert record.headers["fleet-dead-queue"] == CONTROL_CANCELS


async def test_the_janitor_logs_no_text(fleet_vhost: str, capfd: pytest.CaptureFixture[str]):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(CALM, exchange=DEAD, key=DEAD_KEY_RAW)
        (record,) = await until_buried(house.url)
    printed = capfd.readouterr()
    assert "CANARY-41" not in f"{printed.out}{printed.err}{record.headers}"
    assert b"CANARY-41" in record.body
