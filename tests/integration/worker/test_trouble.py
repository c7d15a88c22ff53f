"""The broker goes away, workers drain, readers are slow: what a backend still gets."""

import asyncio
import json
from hashlib import sha256
from typing import Any

import aio_pika
import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.service import CannotStartError
from fleet_chassis.settings import SettingsError
from fleet_contracts.grammar import MAX_REPLY_BYTES
from fleet_contracts.topology import REQUESTS
from fleet_simulator.answers import expected_text
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import serve
from fleet_worker.bootstrap import start_worker
from harness.broker import SharedBroker
from harness.caller import Caller, a_caller, a_follower, text_of
from harness.house import a_house, worker_settings
from harness.queues import told_of, until_waiting
from harness.requests import a_response
from harness.waiting import until

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("plain_publish")]

CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Tell me of the sea"}],
    "thinking": {"type": "disabled"},
}
STREAMED = {**CALM, "stream": True}


async def until_it_leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def waiting_in(url: str, queue: str) -> int:
    told = await told_of(url, queue)
    assert told is not None
    return told.waiting


async def test_a_broker_that_restarts_in_the_middle_of_a_call_costs_no_second_call(
    fleet_vhost: str, broker: SharedBroker
):
    async with a_house(fleet_vhost) as house, a_caller(house.url) as caller:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        await caller.ask(STREAMED, correlation_id="long-1")
        assert (await caller.next())["kind"] == "accepted"
        await broker.stop_app()
        house.simulator.faults.clear()
        await broker.start_app()
        await until(lambda: house.worker.readiness.why_not() is None, deadline_s=60)
        async with a_caller(house.url) as again:
            await again.ask(STREAMED, correlation_id="long-1")
            result = (await again.until_end())[-1]
        calls = house.simulator.log.events(kind="admitted")
    assert result["kind"] == "result"
    assert result["response"]["choices"][0]["message"]["content"] == expected_text(CALM)[1]
    assert len(calls) == 1


async def test_a_drain_finishes_what_runs_and_gives_back_what_has_not_started(fleet_vhost: str):
    async with a_house(fleet_vhost, concurrency=2) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        for number in range(6):
            await house.caller.ask(STREAMED, correlation_id=f"c-{number}")
        await until(lambda: len(house.simulator.log.events(kind="admitted")) == 2)
        drain = asyncio.create_task(house.worker.drain(grace_s=60))
        await until_waiting(house.url, REQUESTS, 4)
        house.simulator.faults.clear()
        await drain
        assert house.worker.readiness.why_not() == "The worker is draining."
        ends: list[dict[str, Any]] = []
        while len(ends) < 2:
            ends.append((await house.caller.until_end())[-1])
        assert {end["kind"] for end in ends} == {"result"}
        await until_waiting(house.url, REQUESTS, 4)


async def test_a_drain_gives_back_at_once_what_waits_for_a_permit(fleet_vhost: str):
    async with a_house(fleet_vhost, limit_concurrency=1) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        for number in range(2):
            await house.caller.ask(STREAMED, correlation_id=f"c-{number}")
        await until(lambda: house.worker.supervisor.running == 2)
        await until(lambda: len(house.simulator.log.events(kind="admitted")) == 1)
        drain = asyncio.create_task(house.worker.drain(grace_s=60))
        await until_waiting(house.url, REQUESTS, 1)
        assert not drain.done()
        house.simulator.faults.clear()
        assert (await house.caller.until_end())[-1]["kind"] == "result"
        await drain
        assert len(house.simulator.log.events(kind="admitted")) == 1


async def test_a_message_published_during_a_drain_is_not_hidden_behind_it(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        await house.caller.ask(STREAMED)
        await until(lambda: len(house.simulator.log.events(kind="admitted")) == 1)
        drain = asyncio.create_task(house.worker.drain(grace_s=60))
        # It waits for what runs only when all its consumers are cancelled.
        await until(lambda: house.worker.supervisor._draining)  # pyright: ignore[reportPrivateUsage]
        await house.caller.ask(CALM)
        assert await waiting_in(house.url, REQUESTS) == 1
        assert not drain.done()
        house.simulator.faults.clear()
        await drain


async def test_a_call_that_outlasts_the_drain_goes_back_and_is_started_again_aloud(fleet_vhost: str):
    async with serve(SimulatorConfig().at_once()) as simulator, a_caller(fleet_vhost) as caller:
        simulator.inject(Fault(Kind.HOLD, after_chunks=5))
        settings = worker_settings(fleet_vhost, simulator.base_url)
        async with start_worker(settings) as worker:
            await caller.ask(STREAMED)
            assert [(await caller.next())["kind"] for _ in range(2)] == ["accepted", "chunk"]
            await worker.drain(grace_s=0)
        simulator.faults.clear()
        async with start_worker(settings):
            replies = await caller.until_end()
    cut = next(place for place, reply in enumerate(replies) if reply["kind"] == "restarted")
    assert (replies[cut]["attempt"], replies[cut]["reason"]) == (2, "worker_lost")
    assert text_of(replies[cut:]) == expected_text(CALM)[1]


async def test_a_full_reply_queue_degrades_one_stream_and_no_other(fleet_vhost: str):
    async with a_house(fleet_vhost) as house, a_follower(house.url) as follower:
        full = await house.caller.channel.declare_queue(
            "deepseek.reply.acme.full",
            durable=True,
            arguments={"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"},
        )
        await Caller(house.caller.channel, full).ask(STREAMED, correlation_id="slow-1")
        await house.caller.ask(STREAMED)
        assert text_of(await house.caller.until_end()) == expected_text(CALM)[1]
        await full.purge()
        while (result := (await follower.until_end())[-1])["correlation_id"] != "slow-1":
            pass
    assert result["degraded"] is True


async def test_a_reply_queue_that_stays_full_leaves_the_result_on_the_results_and_in_the_ledger(
    fleet_vhost: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fleet_worker.replies.delivering.TERMINAL_TIMEOUT_S", 0.5)
    async with a_house(fleet_vhost) as house, a_follower(house.url) as follower:
        full = await house.caller.channel.declare_queue(
            "deepseek.reply.acme.full",
            durable=True,
            arguments={"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"},
        )
        await house.caller.channel.default_exchange.publish(aio_pika.Message(b"in the way"), full.name)
        await Caller(house.caller.channel, full).ask(CALM, correlation_id="full-1")
        (result,) = await follower.until_end()
        await until(lambda: house.worker.supervisor.running == 0)
        assert await waiting_in(house.url, REQUESTS) == 0
        await house.caller.ask(CALM, correlation_id="full-1")
        again = await house.caller.next()
        calls = house.simulator.log.events(kind="admitted")
    assert (result["kind"], again, len(calls)) == ("result", result, 1)


async def test_an_answer_that_no_reply_can_carry_ends_as_too_large_with_its_digest(fleet_vhost: str):
    content = "x" * (MAX_REPLY_BYTES - 600)
    whole = Fault(
        Kind.STATUS,
        status=200,
        times=1,
        body=json.dumps(a_response(content)),
        content_type="application/json",
    )
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(whole)
        await house.caller.ask(CALM)
        failure = (await house.caller.until_end())[-1]
        await house.caller.ask(CALM)
        assert (await house.caller.until_end())[-1]["kind"] == "result"
    assert failure["code"] == "too_large"
    assert sha256(content.encode()).hexdigest() in failure["message"]


async def test_a_deadline_ends_a_running_call_and_closes_its_socket(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.STALL, match=Match(), after_chunks=3))
        await house.caller.ask(STREAMED, headers={"fleet-deadline-ms": SystemClock().now_ms() + 3000})
        failure = (await house.caller.until_end())[-1]
        await house.simulator.log.wait_for(lambda event: event.kind == "closed", within=20)
        await until(lambda: house.worker.supervisor.running == 0)
    assert failure["code"] == "deadline_exceeded"
    assert failure["partial"]["content"]


async def test_a_second_worker_without_a_shared_store_refuses_to_start_in_one_sentence(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        settings = worker_settings(house.url, house.simulator.base_url)
        with pytest.raises(CannotStartError, match="share no store"):
            async with start_worker(settings):
                pass
        async with start_worker(settings.model_copy(update={"share_nothing": True})) as second:
            assert second.readiness.why_not() is None


async def test_a_worker_without_a_broker_says_so_instead_of_waiting_for_ever():
    settings = worker_settings("amqp://guest:guest@127.0.0.1:1/", "http://127.0.0.1:9")
    with pytest.raises(CannotStartError, match="No connection to the broker"):
        async with start_worker(settings):
            pass


async def test_a_broker_that_accepts_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fleet_worker.bootstrap.CONNECT_TIMEOUT_S", 0.5)
    async with await asyncio.start_server(until_it_leaves, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        settings = worker_settings(f"amqp://guest:guest@127.0.0.1:{port}/", "http://127.0.0.1:9")
        with pytest.raises(CannotStartError, match="No connection to the broker"):
            async with start_worker(settings):
                pass


async def test_a_worker_whose_health_port_is_taken_says_which_setting_to_change(fleet_vhost: str):
    async with await asyncio.start_server(until_it_leaves, "127.0.0.1", 0) as other:
        place = {"health_host": "127.0.0.1", "health_port": other.sockets[0].getsockname()[1]}
        settings = worker_settings(fleet_vhost, "http://127.0.0.1:9").model_copy(update=place)
        with pytest.raises(SettingsError, match="set FLEET_HEALTH_PORT to a free port"):
            async with start_worker(settings):
                pass


async def test_a_worker_without_its_topology_says_what_to_run(vhost: str):
    settings = worker_settings(vhost, "http://127.0.0.1:9")
    with pytest.raises(CannotStartError, match="fleet topology apply"):
        async with start_worker(settings):
            pass


async def test_two_hundred_streams_through_one_worker_arrive_whole_and_in_order(fleet_vhost: str):
    bodies = [
        {**STREAMED, "messages": [{"role": "user", "content": f"Story {number}"}]} for number in range(200)
    ]
    timing = Timing(headers=0, first_token=10, tokens_per_second=60)
    async with a_house(fleet_vhost, SimulatorConfig(timing=timing)) as house:
        ids = await asyncio.gather(*(house.caller.ask(body) for body in bodies))
        replies: dict[str, list[dict[str, Any]]] = {correlation_id: [] for correlation_id in ids}
        ended = 0
        while ended < len(ids):
            reply = await house.caller.next(60)
            replies[reply["correlation_id"]].append(reply)
            ended += reply["kind"] in {"result", "failure"}
        peak = house.simulator.limits.peak("default", "deepseek-flash")
    degraded = 0
    for correlation_id, body in zip(ids, bodies, strict=True):
        end = replies[correlation_id][-1]
        assert end["response"]["choices"][0]["message"]["content"] == expected_text(body)[1]
        # As promised: whole in its chunks, or said not to be, which a very busy machine may bring about.
        assert end["degraded"] or text_of(replies[correlation_id]) == expected_text(body)[1]
        degraded += end["degraded"]
    # Nearly all of them: on a busy machine the first may have ended before the last one is asked.
    assert (peak >= 100, degraded <= 50) == (True, True), (peak, degraded)
