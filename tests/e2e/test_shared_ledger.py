"""Two workers on one store: what is paid once stays paid once, whoever is killed, stopped or cut off."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_cli.stack.child import Child
from fleet_cli.stack.store.store import Store
from fleet_simulator.answers import expected_text
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind
from fleet_simulator.server import Running, serve
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import MOST_VANISHED, Times
from fleet_worker.request import RequestKey
from harness.broker import SharedBroker
from harness.caller import TERMINAL, Caller, a_caller, text_of
from harness.processes import Fleet, a_fleet
from harness.waiting import until

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(180)]

PATIENCE_S = 60.0

BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "What is a lighthouse for?"}],
    "stream": True,
}
PACED = SimulatorConfig(timing=Timing(headers=0.05, first_token=0.05, tokens_per_second=40))
FOR_MINUTES = SimulatorConfig(timing=Timing(headers=0.05, first_token=0.05, tokens_per_second=1))
SOME_CHUNKS = 40


@dataclass(frozen=True, slots=True)
class Scene:
    """A fleet on one store, its upstream and one caller."""

    fleet: Fleet
    simulator: Running
    caller: Caller

    def calls(self) -> int:
        return len(self.simulator.log.events(kind="admitted"))

    async def two_workers(self) -> dict[str, Child]:
        return {worker.name: worker for worker in [await self.fleet.start_worker() for _ in range(2)]}

    def never_ends(self, times: int = 1) -> None:
        """Let the next call, or so many, be in its middle for as long as it takes to kill its worker."""
        self.simulator.inject(Fault(Kind.STALL, times=times, after_chunks=SOME_CHUNKS))

    def holds(self) -> Callable[[], object]:
        """Let the next call stand still in the middle of its answer until what is returned is called."""
        hold = self.simulator.inject(Fault(Kind.HOLD, times=1, after_chunks=SOME_CHUNKS))
        return lambda: self.simulator.faults.remove(hold.id)

    async def some_text(self, attempt: int = 1) -> list[dict[str, Any]]:
        """Replies up to the first text of this attempt; of the one before, some may still be on its way."""
        replies = [await self.caller.next(PATIENCE_S)]
        while replies[-1]["kind"] != "chunk" or replies[-1]["attempt"] != attempt:
            replies.append(await self.caller.next(PATIENCE_S))
        return replies


async def _ends(caller: Caller) -> AsyncGenerator[dict[str, Any]]:
    """Terminal replies, of which one has to come, until no more has come for a while."""
    yield (await caller.until_end(PATIENCE_S))[-1]
    with suppress(TimeoutError):
        while True:
            reply = await caller.next(timeout_s=3)
            if reply["kind"] in TERMINAL:
                yield reply


async def _new_owner(records: Records, key: RequestKey, known: set[str]) -> str:
    """The channel of the next worker that has the request in hand."""
    async with asyncio.timeout(PATIENCE_S):
        # The store tells only workers who has what.
        while (record := await records.look(key)) is None or record.owner in known:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return record.owner


@asynccontextmanager
async def a_scene(
    url: str, redis_url: str, logs: Path, simulator: SimulatorConfig = PACED, **settings: str
) -> AsyncGenerator[Scene]:
    async with (
        serve(simulator) as running,
        a_fleet(url, running.base_url, logs, REDIS_URL=redis_url, **settings) as fleet,
        a_caller(url) as caller,
    ):
        yield Scene(fleet, running, caller)


async def test_a_request_published_to_two_workers_is_paid_once_and_answered_with_the_same_bytes(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        await scene.two_workers()
        for _ in range(3):
            await scene.caller.ask(BODY, correlation_id="twice")
        first = (await scene.caller.until_end(PATIENCE_S))[-1]
        second = (await scene.caller.until_end(PATIENCE_S))[-1]
        third = (await scene.caller.until_end(PATIENCE_S))[-1]
        await scene.caller.silence()
        assert first == second == third
        assert (first["kind"], first["id"]) == ("result", "twice:final")
        assert scene.calls() == 1


async def test_a_worker_killed_mid_stream_is_superseded_within_seconds(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        workers = await scene.two_workers()
        scene.never_ends()
        await scene.caller.ask(BODY)
        before = await scene.some_text()
        killed_at = time.monotonic()
        await workers[before[0]["worker"]].kill()
        after = [await scene.caller.next(PATIENCE_S)]
        while after[-1]["kind"] != "restarted":
            after.append(await scene.caller.next(PATIENCE_S))
        took_s = time.monotonic() - killed_at
        rest = await scene.caller.until_end(PATIENCE_S)
        await scene.caller.silence()
    assert (after[-1]["attempt"], after[-1]["reason"]) == (2, "worker_lost")
    assert text_of(rest) == expected_text(BODY)[1]
    assert rest[-1]["attempts"] == 2
    # Two looks a second apart tell that the owner is dead; the rest is room for a busy machine.
    assert took_s < 10, took_s


async def test_a_broker_that_restarts_during_a_call_costs_no_second_one(
    broker: SharedBroker, fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        await scene.two_workers()
        go_on = scene.holds()
        await scene.caller.ask(BODY)
        await scene.some_text()
        await broker.stop_app()
        await broker.start_app()
        go_on()
        async with a_caller(fleet_vhost) as again:
            results = await again.channel.get_queue(scene.caller.reply_to, ensure=False)
            message = None
            async with asyncio.timeout(PATIENCE_S):
                while message is None or message.type != "result.v1":
                    message = await results.get(no_ack=True, fail=False)
                    await asyncio.sleep(0.05)
        assert b'"attempts":1' in message.body
        assert scene.calls() == 1


async def test_three_owners_that_vanish_end_the_request_as_a_crash_loop(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        scene.never_ends(times=3)
        await scene.caller.ask(BODY)
        replies: list[dict[str, Any]] = []
        for attempt in range(1, 4):
            worker = await scene.fleet.start_worker()
            replies += await scene.some_text(attempt)
            await worker.kill()
        await scene.fleet.start_worker()
        replies += await scene.caller.until_end(PATIENCE_S)
        await scene.caller.silence()
        assert scene.calls() == 3
    ends = [reply for reply in replies if reply["kind"] in {"result", "failure"}]
    assert [(end["code"], end["attempts"]) for end in ends] == [("crash_loop", 3)]


async def test_a_request_whose_workers_die_while_it_waits_for_a_permit_is_answered_when_its_turn_comes(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    one_at_a_time = {"FLEET_LIMIT_CONCURRENCY": "1", "FLEET_CONCURRENCY": "1"}
    async with (
        a_scene(fleet_vhost, store_url, tmp_path, FOR_MINUTES, **one_at_a_time) as scene,
        open_store(store_url, timeout_s=5, clock=SystemClock()) as store,
    ):
        records = StoreRecords(store, "fleet", Times())
        await scene.fleet.start_worker()
        running = await scene.caller.ask(BODY, correlation_id="running")
        await scene.some_text()
        waiting = await scene.caller.ask(BODY | {"max_tokens": 5}, correlation_id="waiting")
        owners = {""}
        for _ in range(MOST_VANISHED + 1):
            worker = await scene.fleet.start_worker()
            owners.add(await _new_owner(records, ("acme", waiting, 0), owners))
            await worker.kill()
        await scene.fleet.start_worker()
        await _new_owner(records, ("acme", waiting, 0), owners)
        await scene.caller.cancel(running)
        ends: dict[str, dict[str, Any]] = {}
        while len(ends) < 2:
            end = (await scene.caller.until_end(PATIENCE_S))[-1]
            ends[end["correlation_id"]] = end
        assert ends[running]["code"] == "cancelled"
        assert (ends[waiting]["kind"], ends[waiting]["attempts"]) == ("result", 1)
        assert scene.calls() == 2


async def test_a_worker_that_stood_still_and_comes_back_ends_nothing_twice(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    # The broker gives a silent worker's deliveries to others after two of these.
    url = f"{fleet_vhost}{'&' if '?' in fleet_vhost else '?'}heartbeat=6"
    async with a_scene(url, store_url, tmp_path) as scene:
        workers = await scene.two_workers()
        go_on = scene.holds()
        await scene.caller.ask(BODY, correlation_id="still")
        before = await scene.some_text()
        stopped = workers[before[0]["worker"]]
        stopped.signal(signal.SIGSTOP)
        try:
            end = (await scene.caller.until_end(timeout_s=90))[-1]
        finally:
            go_on()
            stopped.signal(signal.SIGCONT)
        assert (end["kind"], end["attempts"]) == ("result", 2)
        late = ("a terminal reply was dropped", "a call was aborted")
        await until(lambda: any(line in scene.fleet.log_of(stopped) for line in late), deadline_s=PATIENCE_S)
        await scene.caller.ask(BODY, correlation_id="still")
        ends = [reply async for reply in _ends(scene.caller)]
        assert all(other == end for other in ends)


async def test_a_store_that_forgets_during_a_call_still_sees_one_end(
    fleet_vhost: str, own_store: Store, tmp_path: Path
):
    async with a_scene(fleet_vhost, own_store.url, tmp_path) as scene:
        await scene.two_workers()
        go_on = scene.holds()
        await scene.caller.ask(BODY, correlation_id="flushed")
        replies = await scene.some_text()
        await own_store.flush()
        go_on()
        replies += await scene.caller.until_end(PATIENCE_S)
        await scene.caller.ask(BODY, correlation_id="flushed")
        assert (await scene.caller.until_end(PATIENCE_S))[-1] == replies[-1]
        await scene.caller.silence()
        assert scene.calls() == 1


async def test_without_its_store_a_worker_starts_nothing_finishes_what_runs_and_goes_on_when_it_is_back(
    fleet_vhost: str, own_store: Store, tmp_path: Path
):
    async with a_scene(fleet_vhost, own_store.url, tmp_path) as scene:
        workers = await scene.two_workers()
        go_on = scene.holds()
        await scene.caller.ask(BODY, correlation_id="runs")
        replies = await scene.some_text()
        await own_store.kill()
        await until(
            lambda: all("store is away" in scene.fleet.log_of(worker) for worker in workers.values()),
            deadline_s=PATIENCE_S,
        )
        go_on()
        await scene.caller.ask(BODY, correlation_id="waits")
        while len(text_of(replies)) < len(expected_text(BODY)[1]):
            replies.append(await scene.caller.next(PATIENCE_S))
        await scene.caller.silence(2)
        assert scene.calls() == 1
        await own_store.restart()
        ends = [(await scene.caller.until_end(PATIENCE_S))[-1] for _ in range(2)]
        assert {end["id"] for end in ends} == {"runs:final", "waits:final"}
        assert {end["kind"] for end in ends} == {"result"}
        assert scene.calls() == 2


async def test_a_worker_whose_store_does_not_answer_says_so_in_one_sentence(fleet_vhost: str, tmp_path: Path):
    async with a_fleet(
        fleet_vhost, "http://127.0.0.1:9", tmp_path, REDIS_URL="redis://127.0.0.1:9/0"
    ) as fleet:
        with pytest.raises(Exception, match="ended"):
            await fleet.start_worker()
        log = (tmp_path / "worker-1.log").read_text().strip().splitlines()
    assert len(log) == 1
    assert "unset REDIS_URL" in log[0]
