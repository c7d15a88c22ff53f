"""A tenant gets queues of its own and loses them again, while a worker process runs."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fleet_contracts.topology import REQUESTS
from fleet_simulator import SimulatorConfig, serve
from harness.caller import a_caller
from harness.processes import a_fleet

pytestmark = pytest.mark.sockets

CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Hello"}],
    "thinking": {"type": "disabled"},
}


async def fleet(amqp_url: str, redis_url: str, *arguments: str) -> str:
    environ = {**os.environ, "AMQP_URL": amqp_url, "REDIS_URL": redis_url}  # noqa: TID251 - for its PATH
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_cli", *arguments),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_a_tenants_own_queues_are_taken_up_and_given_up_by_a_running_worker(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with (
        serve(SimulatorConfig().at_once()) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path, REDIS_URL=store_url) as workers,
        a_caller(fleet_vhost) as caller,
    ):
        await workers.start_worker()
        await fleet(fleet_vhost, store_url, "tenant", "add", "acme")
        await caller.ask(CALM, key="interactive.acme")
        await caller.ask(CALM, key="batch.acme")
        for _ in range(2):
            assert (await caller.until_end())[-1]["kind"] == "result"
        own = await caller.channel.declare_queue(f"{REQUESTS}.interactive.acme", passive=True)
        assert own.declaration_result.consumer_count == 1
        output = await fleet(fleet_vhost, store_url, "tenant", "remove", "acme")
        assert output == "acme has no queues of its own any more\n"
        await caller.ask(CALM, key="interactive.acme")
        assert (await caller.until_end())[-1]["kind"] == "result"
