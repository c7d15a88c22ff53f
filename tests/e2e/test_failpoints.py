"""A worker dies between two steps of the protocol, and another one takes over."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chaos.failing_worker import POINTS
from fleet_simulator.answers import expected_text
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.server import serve
from harness.caller import a_caller, text_of
from harness.processes import a_fleet

pytestmark = pytest.mark.sockets

PATIENCE_S = 60.0

BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "What is a lighthouse for?"}],
    "thinking": {"type": "disabled"},
    "stream": True,
}
PACED = SimulatorConfig(timing=Timing(headers=0.02, first_token=0.02, tokens_per_second=300))
PAID_TWICE = {"streaming", "answered", "earned"}
"""Where the upstream was called and what it said dies with the worker: the window of double billing."""


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_that_dies_between_two_steps_loses_and_doubles_nothing(
    fleet_vhost: str, store_url: str, tmp_path: Path, point: str
):
    async with (
        serve(PACED) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path, REDIS_URL=store_url) as fleet,
        a_caller(fleet_vhost) as caller,
    ):
        doomed = await fleet.start_failing_worker(point, tmp_path / "died")
        await caller.ask(BODY)
        async with asyncio.timeout(PATIENCE_S):
            await doomed.wait()
        await fleet.start_worker()
        replies = await caller.until_end(PATIENCE_S)
        if point == "published":  # the delivery was not acknowledged: the same reply comes once more
            repeated = await caller.next(PATIENCE_S)
            assert repeated["id"] == replies[-1]["id"]
            assert repeated["response"] == replies[-1]["response"]
        await caller.silence()
        charged = len(simulator.log.events(kind="charged"))
    kinds = [reply["kind"] for reply in replies]
    last = len(kinds) - kinds[::-1].index("restarted") if "restarted" in kinds else 0
    assert replies[-1]["kind"] == "result"
    assert replies[-1]["response"]["choices"][0]["message"]["content"] == expected_text(BODY)[1]
    if replies[-1]["last_seq"] >= 0 and point != "committed":
        assert text_of(replies[last:]) == expected_text(BODY)[1]
    assert charged == (2 if point in PAID_TWICE else 1)
