"""Workers as processes on one store: together they keep the account's limit."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet_simulator import SimulatorConfig, serve
from fleet_simulator.config import Timing
from harness.caller import a_caller
from harness.processes import a_fleet

pytestmark = pytest.mark.sockets

LIMIT, ASKED = 5, 30
CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Hello"}],
    "thinking": {"type": "disabled"},
}
SLOW = replace(
    SimulatorConfig(timing=Timing(headers=0.2, first_token=0, tokens_per_second=0)),
    limits={"deepseek-flash": LIMIT, "deepseek-v4-pro": LIMIT},
)


async def peak_and_refusals(vhost: str, store_url: str, logs: Path, **settings: str) -> tuple[int, int]:
    async with (
        serve(SLOW) as simulator,
        a_fleet(vhost, simulator.base_url, logs, REDIS_URL=store_url, **settings) as fleet,
        a_caller(vhost) as caller,
    ):
        await asyncio.gather(*(fleet.start_worker() for _ in range(2)))
        for number in range(ASKED):
            await caller.ask(CALM, headers={"fleet-tenant": f"t{number % 3}"})
        for _ in range(ASKED):
            assert (await caller.until_end())[-1]["kind"] == "result"
        refused = simulator.simulator.log.events(kind="refused")
        ((account, model),) = simulator.simulator.limits.pools()
        return simulator.simulator.limits.peak(account, model), len(refused)


async def test_two_workers_together_never_make_more_calls_than_the_limit(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    peak, refused = await peak_and_refusals(
        fleet_vhost, store_url, tmp_path, FLEET_LIMIT_CONCURRENCY=str(LIMIT)
    )
    assert (peak, refused) == (LIMIT, 0)


async def test_two_workers_learn_the_limit_from_what_the_provider_refuses(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    peak, refused = await peak_and_refusals(
        fleet_vhost, store_url, tmp_path, FLEET_LIMIT_START="6", FLEET_ATTEMPTS="5"
    )
    assert peak == LIMIT
    # Some more than one where a worker is slow to hear of it; without learning, twice as many as were asked.
    assert 1 <= refused <= ASKED / 3
