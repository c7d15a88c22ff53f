"""Cancels on a real broker: every state that a request can be in, and one end for each."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from fleet_client import Fleet
from fleet_contracts.topology import RETRY_RUNGS_S, retry_rung
from fleet_simulator.faults import Fault, Kind, Match
from harness.broker import SharedBroker
from harness.caller import Caller, a_follower, dead_letters, until_buried
from harness.house import a_house
from harness.shown import until_shown
from harness.waiting import until

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("plain_publish")]

CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Tell me of the sea"}],
    "thinking": {"type": "disabled"},
}
STREAMED = {**CALM, "stream": True}
STALLED = Fault(Kind.STALL, match=Match(), after_chunks=3)


async def some_text(caller: Caller) -> None:
    while (await caller.next())["kind"] != "chunk":
        pass


async def until_parked(caller: Caller) -> None:
    async with asyncio.timeout(10):
        while True:
            for seconds in RETRY_RUNGS_S:
                rung = await caller.channel.declare_queue(retry_rung(seconds), passive=True)
                if rung.declaration_result.message_count:
                    return
            await asyncio.sleep(0.05)


async def end_of(caller: Caller, correlation_id: str) -> dict[str, Any]:
    while (end := (await caller.until_end())[-1])["correlation_id"] != correlation_id:
        pass
    return end


async def test_a_cancel_ends_a_running_call_and_closes_its_socket(fleet_vhost: str):
    async with a_house(fleet_vhost) as house, a_follower(house.url, "failure.#") as follower:
        house.simulator.inject(STALLED)
        asked = await house.caller.ask(STREAMED)
        await some_text(house.caller)
        await house.caller.cancel(asked)
        failure = await end_of(house.caller, asked)
        await house.simulator.log.wait_for(lambda event: event.kind == "closed", within=20)
        await until(lambda: house.worker.supervisor.running == 0)
        await house.caller.silence()
        copy = await follower.next()
    assert (failure["code"], failure["id"], failure["retryable"]) == ("cancelled", f"{asked}:final", False)
    assert copy == failure


async def test_a_request_that_is_cancelled_in_its_queue_ends_without_a_call(fleet_vhost: str):
    async with a_house(fleet_vhost, concurrency=1) as house:
        house.simulator.inject(STALLED)
        first = await house.caller.ask(STREAMED)
        await some_text(house.caller)
        queued = await house.caller.ask(STREAMED)
        await house.caller.cancel(queued)
        # Cancels are carried out in order, so the first one has been when the second is.
        await house.caller.cancel(first)
        ends = {end["correlation_id"]: end for end in [(await house.caller.until_end())[-1] for _ in "12"]}
        calls = house.simulator.log.events(kind="admitted")
    assert {end["code"] for end in ends.values()} == {"cancelled"}
    assert ends[queued]["attempts"] == 0
    assert len(calls) == 1


async def test_a_request_that_waits_for_a_permit_is_cancelled_at_once(fleet_vhost: str):
    async with a_house(fleet_vhost, concurrency=2, limit_concurrency=1) as house:
        house.simulator.inject(STALLED)
        first = await house.caller.ask(STREAMED)
        await some_text(house.caller)
        waiting = await house.caller.ask(CALM)
        await until(lambda: house.worker.supervisor.running == 2)
        await house.caller.cancel(waiting)
        failure = await end_of(house.caller, waiting)
        calls = house.simulator.log.events(kind="admitted")
        await house.caller.cancel(first)
        await end_of(house.caller, first)
    assert (failure["code"], failure["attempts"]) == ("cancelled", 0)
    assert len(calls) == 1


async def test_a_parked_request_is_cancelled_at_once_and_its_copy_brings_nothing_new(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.STATUS, match=Match(), status=429, retry_after="60"))
        asked = await house.caller.ask(STREAMED)
        await until_parked(house.caller)
        await house.caller.cancel(asked)
        failure = await end_of(house.caller, asked)
        await house.caller.ask(STREAMED, correlation_id=asked)
        again = await end_of(house.caller, asked)
        calls = house.simulator.log.events(kind="admitted")
    assert (failure["code"], failure["attempts"], len(calls)) == ("cancelled", 1, 0)
    assert again == failure


async def test_a_cancel_that_comes_after_the_end_changes_nothing(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        asked = await house.caller.ask(CALM)
        result = await end_of(house.caller, asked)
        await house.caller.cancel(asked)
        await until_shown(house, "fleet_cancels_total", 1, found="ended")
        await house.caller.ask(CALM, correlation_id=asked)
        again = await end_of(house.caller, asked)
        letters = await dead_letters(house.url)
    assert (result["kind"], again, letters) == ("result", result, [])


async def test_a_cancel_comes_before_its_request_and_is_found(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.cancel("c-early")
        await until_shown(house, "fleet_cancels_total", 1, found="unknown")
        await house.caller.ask(CALM, correlation_id="c-early")
        failure = await end_of(house.caller, "c-early")
        calls = house.simulator.log.events(kind="admitted")
        await house.caller.ask(CALM, correlation_id="c-early", headers={"fleet-retry": 1})
        again = await end_of(house.caller, "c-early")
    assert (failure["code"], calls, again["kind"]) == ("cancelled", [], "result")


async def test_nobody_cancels_another_tenants_request(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=5))
        asked = await house.caller.ask(STREAMED)
        await some_text(house.caller)
        await house.caller.cancel(asked, key="cancel.other")
        await house.caller.cancel(asked, headers={"fleet-tenant": "other"})
        await house.caller.cancel(asked, headers={"fleet-retry": 1})
        await until_shown(house, "fleet_cancels_total", 3, found="unknown")
        house.simulator.faults.clear()
        assert (await end_of(house.caller, asked))["kind"] == "result"


async def test_in_strict_mode_the_user_that_the_broker_checked_is_the_only_one_who_can_cancel(
    broker: SharedBroker,
    fleet_vhost: str,
):
    async with a_house(fleet_vhost, strict_tenants=True) as house:
        house.simulator.inject(STALLED)
        reply_to = f"deepseek.reply.{broker.user}.1"
        queue = await house.caller.channel.declare_queue(reply_to, durable=True)
        caller = Caller(house.caller.channel, queue)
        await caller.listen()
        asked = await caller.ask(STREAMED, user_id=broker.user)
        await some_text(caller)
        await caller.cancel(asked, key=f"cancel.{broker.user}")
        await caller.cancel(asked, key="cancel.other", user_id=broker.user)
        failure = await end_of(caller, asked)
        await queue.delete(if_unused=False, if_empty=False)
        letters = await until_buried(house.url)
    assert failure["code"] == "cancelled"
    assert [letter.headers["fleet-dead-code"] for letter in letters] == ["invalid_request"]


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "cancel.v9"},
        {"correlation_id": None},
        {"correlation_id": "a\r\nb"},
        {"headers": {"fleet-retry": "two"}},
        {"headers": {"fleet-tenant": ["a", {"b": 1}]}},
    ],
    ids=str,
)
async def test_a_bad_cancel_is_buried_once_and_the_worker_goes_on(
    fleet_vhost: str, properties: dict[str, Any]
):
    async with a_house(fleet_vhost) as house:
        await house.caller.cancel(**{"correlation_id": "c-1", **properties})
        letters = await until_buried(house.url)
        await house.caller.ask(CALM)
        assert (await house.caller.until_end())[-1]["kind"] == "result"
        await house.caller.silence()
        assert await dead_letters(house.url) == []
    assert [letter.headers["fleet-dead-code"] for letter in letters] == ["invalid_request"]


async def test_a_client_that_leaves_its_stream_early_has_the_upstream_call_closed(fleet_vhost: str):
    async with (
        a_house(fleet_vhost) as house,
        Fleet(fleet_vhost, tenant="acme") as fleet,
    ):
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=5))
        async with aclosing(fleet.stream("Tell me of the sea", thinking=False)) as events:
            async for _ in events:
                break
        await house.simulator.log.wait_for(lambda event: event.kind == "closed", within=20)
        await until(lambda: house.worker.supervisor.running == 0)


async def test_a_draining_worker_still_hears_cancels(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(STALLED)
        asked = await house.caller.ask(STREAMED)
        await some_text(house.caller)
        drain = asyncio.create_task(house.worker.drain(grace_s=20))
        await until(lambda: house.worker.readiness.why_not() is not None)
        await house.caller.cancel(asked)
        assert (await end_of(house.caller, asked))["code"] == "cancelled"
        await drain


async def test_of_a_hundred_cancels_in_a_race_with_their_results_each_request_has_one_end(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        asked = [await house.caller.ask(CALM) for _ in range(100)]
        for correlation_id in asked:
            await house.caller.cancel(correlation_id)
        ends = [(await house.caller.until_end())[-1] for _ in asked]
        await house.caller.silence()
        assert await dead_letters(house.url) == []
    assert {end["correlation_id"] for end in ends} == set(asked)
    assert {end.get("code", "result") for end in ends} <= {"result", "cancelled"}
