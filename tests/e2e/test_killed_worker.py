"""Real worker processes, killed and stopped while they stream."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aiormq.exceptions import ChannelLockedResource, ChannelNotFoundEntity

from fleet_contracts.topology import WORKER_LOCK
from fleet_simulator.answers import expected_text
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind
from fleet_simulator.server import serve
from harness.caller import Caller, a_caller, text_of
from harness.processes import a_fleet
from harness.waiting import PAUSE_S, until

pytestmark = pytest.mark.sockets

PATIENCE_S = 60.0

BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "What is a lighthouse for?"}],
    "stream": True,
}
PACED = SimulatorConfig(timing=Timing(headers=0.05, first_token=0.05, tokens_per_second=80))
NEVER_ENDING = Fault(Kind.STALL, times=1, after_chunks=60)
"""The first call is in the middle of its answer for as long as it takes to kill its worker."""
ENOUGH_CHARACTERS = 40


async def some_text(caller: Caller) -> list[dict[str, Any]]:
    """Replies up to some text, in however many chunks it comes."""
    replies: list[dict[str, Any]] = []
    while len(text_of(replies, "reasoning_content")) < ENOUGH_CHARACTERS:
        replies.append(await caller.next(PATIENCE_S))
    return replies


async def until_its_place_is_free(url: str) -> None:
    """The broker knows that the one worker without a store is gone: until then, no other may start."""
    async with asyncio.timeout(PATIENCE_S), await aio_pika.connect(url) as connection:
        while True:
            channel = await connection.channel()
            try:
                await channel.declare_queue(WORKER_LOCK, passive=True)
            except ChannelNotFoundEntity:
                return
            except ChannelLockedResource:
                await asyncio.sleep(PAUSE_S)


async def test_a_worker_killed_mid_stream_is_superseded_by_a_new_attempt(fleet_vhost: str, tmp_path: Path):
    async with (
        serve(PACED) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path, FLEET_SHARE_NOTHING="true") as fleet,
        a_caller(fleet_vhost) as caller,
    ):
        workers = {worker.name: worker for worker in [await fleet.start_worker(), await fleet.start_worker()]}
        simulator.inject(NEVER_ENDING)
        await caller.ask(BODY)
        before = await some_text(caller)
        killed_at = time.monotonic()
        await workers[before[0]["worker"]].kill()
        after: list[dict[str, Any]] = []
        while not any(reply["kind"] == "restarted" for reply in after):
            after.append(await caller.next(PATIENCE_S))
        took_s = time.monotonic() - killed_at
        after += await caller.until_end(PATIENCE_S)
        await caller.silence()
    restart = next(place for place, reply in enumerate(after) if reply["kind"] == "restarted")
    assert before[0]["kind"] == "accepted"
    assert (after[restart]["attempt"], after[restart]["reason"]) == (2, "worker_lost")
    assert text_of(after[restart:]) == expected_text(BODY)[1]
    assert [reply["kind"] for reply in after].count("result") == 1
    assert (after[-1]["attempt"], after[-1]["degraded"]) == (2, False)
    # The broker sees a closed socket at once; the bound leaves room for a busy machine.
    assert took_s < 15


async def test_a_worker_started_after_the_kill_finishes_the_request(fleet_vhost: str, tmp_path: Path):
    async with (
        serve(PACED) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path) as fleet,
        a_caller(fleet_vhost) as caller,
    ):
        first = await fleet.start_worker()
        simulator.inject(NEVER_ENDING)
        await caller.ask(BODY)
        await some_text(caller)
        await first.kill()
        await until_its_place_is_free(fleet_vhost)
        await fleet.start_worker()
        replies = await caller.until_end(PATIENCE_S)
    restart = next(place for place, reply in enumerate(replies) if reply["kind"] == "restarted")
    assert text_of(replies[restart:]) == expected_text(BODY)[1]


async def test_a_sigterm_lets_a_running_stream_end(fleet_vhost: str, tmp_path: Path):
    async with (
        serve(PACED) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path) as fleet,
        a_caller(fleet_vhost) as caller,
    ):
        worker = await fleet.start_worker()
        hold = simulator.inject(Fault(Kind.HOLD, times=1, after_chunks=60))
        await caller.ask(BODY)
        replies = await some_text(caller)
        worker.signal(signal.SIGTERM)
        await until(lambda: "drain begins" in fleet.log_of(worker), deadline_s=PATIENCE_S)
        simulator.faults.remove(hold.id)
        replies += await caller.until_end(PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S):
            assert await worker.wait() == 0
        assert "drain ended" in fleet.log_of(worker)
    assert text_of(replies) == expected_text(BODY)[1]
    assert replies[-1]["attempt"] == 1


async def test_a_worker_that_cannot_start_says_why_in_one_sentence(vhost: str, tmp_path: Path):
    async with a_fleet(vhost, "http://127.0.0.1:9", tmp_path) as fleet:
        with pytest.raises(Exception, match="ended"):
            await fleet.start_worker()
        log = (tmp_path / "worker-1.log").read_text().strip().splitlines()
    assert len(log) == 1
    assert "fleet topology apply" in log[0]
