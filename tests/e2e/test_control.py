"""Cancels, dead letters and the life of a request, with real worker processes on one store."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aio_pika.abc import AbstractIncomingMessage

from fleet_cli.stack.child import Child
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.server import Running, serve
from harness.caller import Caller, a_caller, dead_letters
from harness.processes import Fleet, a_fleet

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(180)]

BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "What is a lighthouse for? CANARY-55"}],
    "stream": True,
}
SLOW = SimulatorConfig(timing=Timing(headers=0.05, first_token=0.05, tokens_per_second=5))
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A fleet on one store, its upstream and one caller."""

    url: str
    redis_url: str
    fleet: Fleet
    simulator: Running
    caller: Caller
    folder: Path

    def calls(self) -> int:
        return len(self.simulator.log.events(kind="admitted"))

    async def workers(self, count: int = 1) -> dict[str, Child]:
        return {worker.name: worker for worker in [await self.fleet.start_worker() for _ in range(count)]}

    async def accepted(self) -> str:
        """The worker that has begun the next request, once text of it has come."""
        reply = await self.caller.next(PATIENCE_S)
        worker = str(reply.get("worker", ""))
        await self.some_text()
        return worker

    async def some_text(self, attempt: int = 1) -> None:
        """Text of this attempt has come; of the one before, some may still be on its way."""
        reply = await self.caller.next(PATIENCE_S)
        while reply["kind"] != "chunk" or reply["attempt"] != attempt:
            reply = await self.caller.next(PATIENCE_S)

    async def end_of(self, correlation_id: str) -> dict[str, Any]:
        while (end := (await self.caller.until_end(PATIENCE_S))[-1])["correlation_id"] != correlation_id:
            pass
        return end

    async def records(self) -> list[AbstractIncomingMessage]:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await dead_letters(self.url)):  # noqa: ASYNC110 - a queue can only be asked
                await asyncio.sleep(0.1)
        return found

    async def show(self, *arguments: str) -> tuple[int | None, str, str]:
        environ = {
            **os.environ,  # noqa: TID251  # a child process needs the PATH and HOME of this one
            "AMQP_URL": self.url,
            "REDIS_URL": self.redis_url,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fleet_cli", "show", *arguments),
            cwd=self.folder,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def a_scene(
    url: str, redis_url: str, folder: Path, simulator: SimulatorConfig = SLOW, **settings: str
) -> AsyncGenerator[Scene]:
    async with (
        serve(simulator) as running,
        a_fleet(url, running.base_url, folder, REDIS_URL=redis_url, **settings) as fleet,
        a_caller(url) as caller,
    ):
        yield Scene(url, redis_url, fleet, running, caller, folder)


async def test_a_cancel_that_another_worker_takes_reaches_the_one_that_runs_the_request(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        await scene.workers(2)
        # Cancels go to the workers in turn, so at least one of these is taken by the other worker.
        for number in range(4):
            asked = await scene.caller.ask(BODY, correlation_id=f"c-{number}")
            await scene.accepted()
            await scene.caller.cancel(asked)
            failure = await scene.end_of(asked)
            assert (failure["code"], failure["attempts"]) == ("cancelled", 1)
            await scene.simulator.log.wait_for(
                lambda _: len(scene.simulator.log.events(kind="closed")) > number,  # noqa: B023 - awaited here
                within=PATIENCE_S,
            )
        await scene.caller.silence()
        assert scene.calls() == 4


async def test_a_request_whose_worker_was_killed_is_cancelled_instead_of_started_again(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        workers = await scene.workers(2)
        asked = await scene.caller.ask(BODY)
        owner = await scene.accepted()
        await workers[owner].kill()
        await scene.caller.cancel(asked)
        failure = await scene.end_of(asked)
        await scene.caller.silence()
        assert (failure["code"], failure["id"]) == ("cancelled", f"{asked}:final")


async def test_a_cancel_outlives_the_worker_that_took_it(fleet_vhost: str, store_url: str, tmp_path: Path):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        (first,) = (await scene.workers()).values()
        await scene.caller.cancel("c-early")
        async with asyncio.timeout(PATIENCE_S):
            while "cancelled" not in scene.fleet.log_of(first):  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.05)
        await first.kill()
        await scene.caller.ask(BODY, correlation_id="c-early")
        await scene.workers()
        failure = await scene.end_of("c-early")
        assert (failure["code"], failure["attempts"], scene.calls()) == ("cancelled", 0, 0)


async def test_a_request_that_takes_workers_down_is_quarantined_once_and_its_life_can_be_read(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path) as scene:
        asked = await scene.caller.ask(BODY)
        for attempt in range(1, 4):
            (worker,) = (await scene.workers()).values()
            await scene.some_text(attempt)
            await worker.kill()
        await scene.workers()
        failure = await scene.end_of(asked)
        (letter,) = await scene.records()
        await scene.caller.silence()
        assert await dead_letters(scene.url) == []
        status, page, _ = await scene.show(asked, "--tenant", "acme")
    assert failure["code"] == letter.headers["fleet-dead-code"] == "crash_loop"
    assert (letter.correlation_id, json.loads(letter.body)) == (asked, BODY)
    assert status == 0
    assert page.count("  attempt ") == 3
    assert "lost        3 workers" in page
    assert f"failure {asked}:final" in page


async def test_the_life_of_an_answered_request_names_deepseeks_trace_and_no_text(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with a_scene(fleet_vhost, store_url, tmp_path, SimulatorConfig().at_once()) as scene:
        await scene.workers()
        asked = await scene.caller.ask(BODY)
        await scene.end_of(asked)
        status, out, err = await scene.show(asked, "--tenant", "acme", "--json")
        unknown, nothing, _ = await scene.show(asked, "--tenant", "other")
    life = json.loads(out)
    (attempt,) = life["attempts"]
    assert (status, err, life["state"], life["dead_letters"]) == (0, "", "result", [])
    assert (attempt["worker"], attempt["outcome"]) == ("worker-1", "result")
    assert attempt["trace_id"]
    assert life["timings"]["queued_ms"] >= 0
    assert life["reply"]["fleet_id"] == f"{asked}:final"
    assert "CANARY-55" not in out
    assert (unknown, "knows nothing of it" in nothing) == (1, True)


async def test_without_a_store_the_life_of_a_request_is_one_sentence(tmp_path: Path):
    environ = {name: value for name, value in os.environ.items() if name not in {"AMQP_URL", "REDIS_URL"}}  # noqa: TID251
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_cli", "show", "c-1"),
        cwd=tmp_path,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert (process.returncode, out) == (2, b"")
    assert b"REDIS_URL is not set" in err
