"""A canary in the prompt, in the answer and in the key: nothing that a worker writes has it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet_cli.stack.child import Child
from fleet_cli.stack.processes import WORKER_READY
from fleet_contracts.topology import REQUESTS_DEAD
from fleet_simulator.answers import expected_text
from fleet_simulator.config import DEFAULT_KEY, SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import serve
from harness.caller import Caller, a_caller
from harness.collector import a_collector
from harness.processes import READY_DEADLINE_S, TESTS, Fleet, a_fleet
from harness.waiting import until

pytestmark = pytest.mark.sockets

CANARY = "CANARY-7f3a"
BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": f"{CANARY} asks for the way to the sea"}],
    "thinking": {"type": "disabled"},
    "stream": True,
}
TROUBLE = (
    Fault(Kind.STATUS, match=Match(nth=1), status=503, body=f'{{"error": {{"message": "{CANARY}"}}}}'),
    Fault(Kind.STATUS, match=Match(nth=3), status=400, body=f'{{"error": {{"message": "{CANARY}"}}}}'),
    Fault(Kind.ERROR_IN_STREAM, match=Match(nth=4), after_chunks=5),
    Fault(Kind.BROKEN_UTF8, match=Match(nth=6), after_chunks=5),
    Fault(Kind.RESET, match=Match(nth=8), after_chunks=5),
)
BAD: tuple[Any, ...] = (
    {**BODY, "temperature": CANARY},
    {**BODY, "messages": CANARY},
    {**BODY, "messages": [{"role": CANARY, "content": CANARY}]},
    {**BODY, "model": "deepseek-chat", "stop": CANARY},
    CANARY.encode(),
    f'{{"{CANARY}'.encode(),
)


async def dead_letters(caller: Caller, count: int) -> str:
    """The records of so many dead letters: everything of them but the bodies, which are the senders' own."""
    queue = await caller.channel.get_queue(REQUESTS_DEAD)
    records: list[str] = []
    async with asyncio.timeout(60), queue.iterator(no_ack=True) as letters:
        async for letter in letters:
            records.append(f"{letter.properties} {letter.headers} {letter.routing_key}")
            if len(records) == count:
                break
    return "\n".join(records)


async def all_metrics(ready_line: str) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{ready_line.rpartition(' ')[2]}/metrics")).text


async def start_leaky(fleet: Fleet, **settings: str) -> Child:
    environ = {**fleet.environ, **settings, "FLEET_WORKER_NAME": "leaky", "PYTHONPATH": str(TESTS)}
    command = (sys.executable, "-m", "harness.leaky_worker")
    worker = await Child.start("leaky", command, environ=environ, log=fleet.logs / "leaky.log")
    fleet.workers.append(worker)
    await worker.wait_for_line(WORKER_READY, deadline_s=READY_DEADLINE_S)
    return worker


async def test_nothing_written_has_a_prompt_an_answer_or_the_key_and_each_line_names_its_attempt(
    fleet_vhost: str, tmp_path: Path
):
    answer = expected_text(BODY)[1]
    async with (
        serve(SimulatorConfig().at_once()) as simulator,
        a_collector() as collector,
        a_fleet(
            fleet_vhost,
            simulator.base_url,
            tmp_path,
            FLEET_LOG_LEVEL="debug",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="100",
        ) as fleet,
        a_caller(fleet_vhost) as caller,
    ):
        for fault in TROUBLE:
            simulator.inject(fault)
        worker = await fleet.start_worker()
        named = [await caller.ask(BODY) for _ in range(6)]
        for _ in named:
            await caller.until_end()
        await until(lambda: fleet.log_of(worker).count("request ended") == len(named), deadline_s=30)
        for bad in BAD:
            await caller.ask(bad)
            await caller.until_end()
        metrics = await all_metrics(next(iter(fleet.log_of(worker).splitlines())))
        letters = await dead_letters(caller, len(BAD))
        await until(lambda: len(collector.named("process deepseek.requests")) >= 6, deadline_s=30)
        # Killed in the middle of a stream, its last words are what was written before.
        simulator.configure(timing=Timing(headers=0, first_token=0, tokens_per_second=20))
        await caller.ask(BODY)
        while (await caller.next())["kind"] != "chunk":
            pass
        await worker.kill()
        log = fleet.log_of(worker)
    written = {"log": log, "traces": bytes(collector.raw).decode(errors="replace")}
    written |= {"metrics": metrics, "dead letters": letters}
    assert "attempt failed" in log
    assert "fleet-dead-code" in letters
    for line in (line for line in log.splitlines() if "attempt failed" in line or "request ended" in line):
        said = json.loads(line)
        assert said["tenant"] == "acme"
        assert said["correlation_id"] in named
        assert said["attempt"] >= 1
    for secret in (CANARY, answer[:24], DEFAULT_KEY):
        assert [where for where, text in written.items() if secret in text] == []


@pytest.mark.parametrize("content", ["false", "true"])
async def test_bugs_that_quote_a_request_are_logged_without_the_quotation_unless_content_is_switched_on(
    fleet_vhost: str, tmp_path: Path, content: str
):
    async with (
        serve(SimulatorConfig().at_once()) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path, FLEET_LOG_CONTENT=content) as fleet,
        a_caller(fleet_vhost) as caller,
    ):
        worker = await start_leaky(fleet)
        await caller.ask(BODY)
        assert (await caller.until_end())[-1]["code"] == "internal"
        await caller.ask({**BODY, "max_tokens": 7})
        await worker.wait()
        log = fleet.log_of(worker)
    for place in (
        "a bug ended a request",
        "a library has something to say",
        "py.warnings",
        "an error in the event loop",
        "a thread broke",
        "an error that nobody could be told of",
        "leaky_worker.py",
    ):
        assert place in log
    assert (CANARY in log) == (content == "true")
