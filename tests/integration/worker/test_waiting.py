"""Requests that can't go on now: where they wait, what becomes of them, and what they never cost."""

import asyncio
import os
import resource
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import aio_pika
import pytest
from structlog.testing import capture_logs

from fleet_chassis.clock import SystemClock
from fleet_contracts.grammar import OnBreak
from fleet_contracts.topology import CONTROL_CANCELS, REQUESTS, retry_rung
from fleet_simulator.answers import expected_text
from fleet_simulator.config import DEFAULT_KEY, Account, SimulatorConfig
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import serve
from fleet_worker.bootstrap import start_worker
from harness.caller import a_caller, text_of
from harness.house import a_house, worker_settings
from harness.waiting import until

pytestmark = pytest.mark.sockets

CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Tell me of the sea"}],
    "thinking": {"type": "disabled"},
}
STREAMED = {**CALM, "stream": True}
PRO = {**CALM, "model": "deepseek-v4-pro"}
EMPTY = SimulatorConfig(accounts=(Account("default", (DEFAULT_KEY,), balance="0"),)).at_once()
FULL = Account("default", (DEFAULT_KEY,), balance="100")
RUNG_MS = 5000
"""The shortest rung."""


def busy(status: int = 500, *, times: int | None = 1, **more: Any) -> Fault:
    return Fault(Kind.STATUS, status=status, times=times, **more)


def in_ms(milliseconds: int) -> dict[str, int]:
    return {"fleet-deadline-ms": SystemClock().now_ms() + milliseconds}


@contextmanager
def no_descriptor_left() -> Generator[None]:
    """What is open stays open; nothing can be opened beside it."""
    before = _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def consumers_of(url: str, queue: str) -> int:
    async with await aio_pika.connect(url) as connection:
        declared = await (await connection.channel()).get_queue(queue)
        return declared.declaration_result.consumer_count or 0


async def the_end(caller: Any, correlation_id: str) -> dict[str, Any]:
    while (reply := (await caller.until_end(60))[-1])["correlation_id"] != correlation_id:
        pass
    return reply


async def test_a_model_that_keeps_failing_is_left_alone_and_its_requests_wait_until_it_is_well(
    fleet_vhost: str,
):
    settings: dict[str, Any] = {"attempts": 1, "breaker_min_calls": 2, "breaker_open_s": 2}
    async with a_house(fleet_vhost, **settings) as house:
        house.simulator.inject(busy(times=2, match=Match(model="deepseek-flash")))
        failures = [await the_end(house.caller, await house.caller.ask(CALM)) for _ in range(2)]
        waiting = await house.caller.ask(CALM)
        other = await the_end(house.caller, await house.caller.ask(PRO))
        result = await the_end(house.caller, waiting)
        calls = house.simulator.log.events(kind="arrived")
    assert [failure["code"] for failure in failures] == ["upstream_unavailable"] * 2
    assert other["kind"] == "result", "the other model is not stopped"
    assert (result["kind"], result["attempts"]) == ("result", 1)
    assert len(calls) == 4


async def test_while_no_model_can_be_called_requests_wait_in_their_queue_and_cancels_are_heard(
    fleet_vhost: str,
):
    settings: dict[str, Any] = {"attempts": 1, "breaker_min_calls": 1, "breaker_open_s": 8}
    async with a_house(fleet_vhost, **settings) as house, asyncio.timeout(90):
        house.simulator.inject(busy())
        await the_end(house.caller, await house.caller.ask(CALM))
        parked = await house.caller.ask(CALM)
        while await consumers_of(house.url, REQUESTS):  # noqa: ASYNC110 - a broker can only be asked
            await asyncio.sleep(0.05)
        queued = await house.caller.ask(CALM)
        assert await consumers_of(house.url, CONTROL_CANCELS) == 1
        assert house.worker.readiness.why_not() is None
        assert house.simulator.log.events(kind="admitted") == []
        ends = {(reply := (await house.caller.until_end(60))[-1])["correlation_id"]: reply for _ in range(2)}
    assert {ends[parked]["kind"], ends[queued]["kind"]} == {"result"}


async def test_a_request_without_the_time_to_wait_for_a_model_is_told_at_once(fleet_vhost: str):
    settings: dict[str, Any] = {"attempts": 1, "breaker_min_calls": 1, "breaker_open_s": 60}
    async with a_house(fleet_vhost, **settings) as house:
        house.simulator.inject(busy())
        await the_end(house.caller, await house.caller.ask(CALM))
        failure = await the_end(house.caller, await house.caller.ask(CALM, headers=in_ms(20_000)))
    assert (failure["code"], failure["attempts"]) == ("upstream_unavailable", 0)


@pytest.mark.parametrize("status", [401, 402])
async def test_a_refused_account_fails_no_request_and_all_go_on_when_it_is_well(
    fleet_vhost: str, status: int
):
    async with a_house(fleet_vhost, account_look_s=2) as house:
        house.simulator.inject(busy(status))
        met_it = await house.caller.ask(CALM)
        await until(lambda: bool(house.simulator.log.events(kind="refused")))
        ends = [await the_end(house.caller, met_it)]
        ends.append(await the_end(house.caller, await house.caller.ask(PRO)))
    assert [end["kind"] for end in ends] == ["result", "result"]
    assert ends[0]["attempts"] == 2


async def test_what_one_worker_meets_keeps_all_workers_of_a_store_from_calling(
    fleet_vhost: str, store_url: str
):
    shared: dict[str, Any] = {"REDIS_URL": store_url, "account_look_s": 2}
    async with a_house(fleet_vhost, EMPTY, **shared) as house:
        other = worker_settings(house.url, house.simulator.base_url, **shared, worker_name="w-2")
        async with start_worker(other):
            met_it = await house.caller.ask(CALM)
            await until(lambda: bool(house.simulator.log.events(kind="refused")))
            others = [await house.caller.ask(CALM) for _ in range(6)]
            await asyncio.sleep(1)
            calls = len(house.simulator.log.events(kind="refused"))
            house.simulator.configure(accounts=(FULL,))
            ends = {
                (reply := (await house.caller.until_end(60))[-1])["correlation_id"]: reply for _ in range(7)
            }
    assert calls == 1
    assert {ends[one]["kind"] for one in (met_it, *others)} == {"result"}


async def test_an_empty_account_is_left_alone_until_it_is_topped_up(fleet_vhost: str):
    async with a_house(fleet_vhost, EMPTY, account_look_s=1) as house:
        waiting = [await house.caller.ask(CALM) for _ in range(3)]
        hurried = await the_end(house.caller, await house.caller.ask(CALM, headers=in_ms(3000)))
        refused = len(house.simulator.log.events(kind="refused"))
        house.simulator.configure(accounts=(FULL,))
        ends: list[dict[str, Any]] = []
        while len(ends) < len(waiting):
            ends.append((await house.caller.until_end(60))[-1])
    assert hurried["code"] == "insufficient_balance"
    assert {end["kind"] for end in ends} == {"result"}
    assert refused <= 4


async def test_a_long_retry_after_is_waited_out_in_a_rung(fleet_vhost: str):
    async with a_house(fleet_vhost, retry_held_s=1) as house:
        house.simulator.inject(busy(429, retry_after="5"))
        await house.caller.ask(STREAMED)
        replies = await house.caller.until_end(60)
        first, second = house.simulator.log.events(kind="arrived")
    result = replies[-1]
    assert (result["kind"], result["attempts"]) == ("result", 2)
    assert text_of(replies) == expected_text(CALM)[1]
    assert "restarted" not in {reply["kind"] for reply in replies}, "no text was sent before"
    assert second.at - first.at >= RUNG_MS / 1000 - 0.3


async def test_a_request_that_is_turned_away_for_long_waits_and_is_answered_when_that_is_over(
    fleet_vhost: str,
):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(busy(429, times=4))
        await house.caller.ask(STREAMED)
        replies = await house.caller.until_end(60)
        third, fourth = house.simulator.log.events(kind="arrived")[2:4]
    result = replies[-1]
    assert (result["kind"], result["attempts"]) == ("result", 5)
    assert text_of(replies) == expected_text(CALM)[1]
    assert fourth.at - third.at >= RUNG_MS / 1000 - 0.3


async def test_a_worker_without_descriptors_blames_nobody_and_its_requests_wait(fleet_vhost: str):
    with capture_logs() as logs:
        async with a_house(fleet_vhost, attempts=1, breaker_min_calls=1) as house:
            with no_descriptor_left():
                assert "ulimit" in (house.worker.readiness.why_not() or "")
                await house.caller.ask(CALM)
                await until(lambda: any(line["event"] == "request parked" for line in logs))
            assert house.worker.readiness.why_not() is None
            result = (await house.caller.until_end(60))[-1]
            calls = house.simulator.log.events(kind="arrived")
    assert (result["kind"], result["attempts"], len(calls)) == ("result", 4, 1)
    assert any("ulimit" in line["event"] for line in logs if line["log_level"] == "error")
    assert not [line for line in logs if line["event"] == "breaker changed"]


async def test_a_retry_after_that_ends_after_the_deadline_fails_at_once(fleet_vhost: str):
    async with a_house(fleet_vhost, retry_held_s=1) as house:
        house.simulator.inject(busy(429, retry_after="60"))
        failure = await the_end(house.caller, await house.caller.ask(CALM, headers=in_ms(30_000)))
    assert (failure["code"], failure["attempts"]) == ("rate_limited", 1)


async def test_a_request_whose_deadline_passes_in_a_rung_is_told_when_it_is_back_and_never_asked(
    fleet_vhost: str,
):
    async with a_house(fleet_vhost) as house:
        headers = {"fleet-tenant": "acme", **in_ms(1000)}
        await house.caller.ask(CALM, exchange=retry_rung(5), headers=headers)
        failure = (await house.caller.until_end())[-1]
        calls = house.simulator.log.events(kind="arrived")
    assert (failure["code"], failure["attempts"], calls) == ("deadline_exceeded", 0, [])


async def test_a_deadline_that_passed_in_the_queue_costs_no_call(fleet_vhost: str):
    async with serve(SimulatorConfig().at_once()) as simulator, a_caller(fleet_vhost) as caller:
        await caller.ask(CALM, headers=in_ms(-1))
        async with start_worker(worker_settings(fleet_vhost, simulator.base_url)):
            failure = (await caller.until_end())[-1]
        calls = simulator.log.events(kind="arrived")
    assert (failure["code"], failure["attempts"], calls) == ("deadline_exceeded", 0, [])


async def test_a_deadline_that_passes_while_waiting_for_a_permit_costs_no_call(fleet_vhost: str):
    async with a_house(fleet_vhost, limit_concurrency=1) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        await house.caller.ask(CALM)
        await until(lambda: bool(house.simulator.log.events(kind="admitted")))
        failure = await the_end(house.caller, await house.caller.ask(CALM, headers=in_ms(300)))
        calls = house.simulator.log.events(kind="arrived")
    assert (failure["code"], failure["attempts"], len(calls)) == ("deadline_exceeded", 0, 1)


async def test_a_deadline_that_passes_while_a_worker_has_no_room_is_told_in_time(fleet_vhost: str):
    async with a_house(fleet_vhost, concurrency=1) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        long = await house.caller.ask(STREAMED)
        await until(lambda: bool(house.simulator.log.events(kind="admitted")))
        hurried = await house.caller.ask(CALM, key="batch.acme", headers=in_ms(300))
        while (reply := await house.caller.next())["correlation_id"] != hurried:
            assert (reply["correlation_id"], reply["kind"] == "result") == (long, False)
    assert (reply["code"], reply["attempts"]) == ("deadline_exceeded", 0)


async def test_a_deadline_ends_the_repetitions_of_a_call(fleet_vhost: str):
    async with a_house(fleet_vhost, retry_base_s=30, retry_longest_s=60, attempts=10) as house:
        house.simulator.inject(busy(times=None))
        failure = await the_end(house.caller, await house.caller.ask(CALM, headers=in_ms(500)))
    assert failure["code"] in {"upstream_unavailable", "deadline_exceeded"}


@pytest.mark.parametrize("thinking", ["disabled", "enabled"])
async def test_who_wants_to_continue_gets_one_text_in_one_attempt_whatever_breaks(
    fleet_vhost: str, thinking: str
):
    body = {**STREAMED, "thinking": {"type": thinking}}
    reasoning, content = expected_text(body)
    async with a_house(fleet_vhost) as house:
        cut = 12 + len(reasoning.split())
        house.simulator.inject(Fault(Kind.RESET, times=1, after_chunks=cut * 2))
        await house.caller.ask(body, headers={"fleet-on-break": OnBreak.CONTINUE})
        replies = await house.caller.until_end()
        calls = house.simulator.log.events(kind="arrived")
    result = replies[-1]
    assert [reply["kind"] for reply in replies].count("restarted") == 0
    assert text_of(replies) == content
    message = result["response"]["choices"][0]["message"]
    assert (message["content"], message.get("reasoning_content") or "") == (content, reasoning)
    assert (result["attempt"], result["cost"]["estimated"], len(calls)) == (1, True, 2)


async def test_usage_that_deepseek_told_before_it_broke_off_is_added_exactly(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.FINISH_REASON, times=1, after_chunks=10))
        await house.caller.ask(STREAMED, headers={"fleet-on-break": OnBreak.CONTINUE})
        replies = await house.caller.until_end()
        charged = house.simulator.log.events(kind="charged")
    usage = replies[-1]["response"]["usage"]
    assert text_of(replies) == expected_text(CALM)[1]
    assert replies[-1]["cost"]["estimated"] is False
    assert usage["completion_tokens"] == sum(int(str(event.fields["output"])) for event in charged)
