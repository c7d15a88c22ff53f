"""`fleet status` with a broker, a store and a worker that has something in hand."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from fleet_simulator.config import SimulatorConfig, Timing
from harness.house import a_house

pytestmark = pytest.mark.sockets

STREAMED: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Tell me of the sea"}],
    "stream": True,
}
SLOW = SimulatorConfig(timing=Timing(headers=0, first_token=0, tokens_per_second=2))


async def status(*arguments: str, **variables: str) -> tuple[int, str]:
    environ = {**os.environ, **variables}  # noqa: TID251 - a child process needs its PATH
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fleet_cli", "status", *arguments, env=environ,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_lanes_workers_and_what_is_in_flight_are_shown_to_people_and_programs(
    fleet_vhost: str, store_url: str
):
    async with a_house(fleet_vhost, SLOW, REDIS_URL=store_url) as house:
        await house.caller.ask(STREAMED)
        assert (await house.caller.next())["kind"] == "accepted"
        told = {"AMQP_URL": house.url, "REDIS_URL": store_url}
        told["METRICS_URL"] = page_of_it = f"{house.worker.health_url}/metrics"
        more = {**told, "METRICS_URL": f"{page_of_it},http://127.0.0.1:9/metrics"}
        (whole, _), (code, printed), (also, page) = await asyncio.gather(
            status(**told), status("--json", **more), status(**more)
        )
        await house.worker.drain(0)
    assert (whole, code, also) == (0, 1, 1), printed
    said = json.loads(printed)
    assert (said["in_flight"], said["sharing"]) == (1, 1)
    assert said["oldest_s"] > 0
    assert [worker["reached"] for worker in said["workers"]] == [True, False]
    lanes = {lane["queue"]: lane["consumers"] for lane in said["lanes"]}
    assert lanes["deepseek.requests"] == 1
    assert said["pools"][0]["in_flight"] == 1
    assert "does not answer" in page
    assert "requests/s" in page


async def test_what_can_not_be_seen_is_said_and_ends_with_1():
    code, said = await status(AMQP_URL="amqp://127.0.0.1:9/", REDIS_URL="redis://127.0.0.1:9/0")
    assert code == 1
    assert "127.0.0.1:9" in said
    assert "Traceback" not in said


async def test_what_is_no_metrics_page_is_refused_with_a_sentence():
    code, said = await status("--worker", "elsewhere", AMQP_URL="amqp://127.0.0.1:9/")
    assert code == 2
    assert said.startswith("fleet: elsewhere is no metrics page")
