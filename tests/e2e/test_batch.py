"""A batch on the command line, with a real worker process and a simulator, killed on the way.

FLEET_TEST_BATCH_LINES=20000 makes it a long one.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import serve
from harness.batches import REFUSED, SOME_FAILED, a_batch, results_in, write_prompts
from harness.processes import a_fleet

pytestmark = pytest.mark.sockets

LINES = int(os.environ.get("FLEET_TEST_BATCH_LINES", "300"))  # noqa: TID251 -- a switch of this test alone
DEADLINE_S = 60.0 + LINES / 5
FAILING = Fault(Kind.STATUS, match=Match(prompt=REFUSED), status=422)
NOW_AND_THEN = Fault(Kind.STATUS, status=503, probability=0.02)
CALM = replace(
    SimulatorConfig(), timing=Timing(headers=0.1, first_token=0, tokens_per_second=0), log_capacity=2_000_000
)


@pytest.mark.timeout(120 + LINES)
async def test_a_batch_that_is_stopped_and_killed_three_times_ends_complete_and_pays_nothing_twice(
    fleet_vhost: str, tmp_path: Path
) -> None:
    batch = a_batch(tmp_path, fleet_vhost, "--concurrency", "40")
    refused = write_prompts(batch.source, LINES, refused_every=20)
    async with (
        serve(CALM) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path) as fleet,
    ):
        simulator.inject(FAILING)
        simulator.inject(NOW_AND_THEN)
        await fleet.start_worker()
        await batch.run_and_interrupt(LINES // 10, deadline_s=DEADLINE_S)
        killed = [await batch.run_and_kill(LINES * part // 10, deadline_s=DEADLINE_S) for part in (2, 4, 6)]
        assert any(killed)
        assert await batch.run(deadline_s=DEADLINE_S) == SOME_FAILED, batch.said()
        paid = len(simulator.simulator.log.events(kind="charged"))
    found = results_in(batch.results)
    done = LINES - len(refused)
    assert found.twice == set()
    assert found.failed == refused
    assert len(found.answered) == done
    assert f"{LINES} lines = {done} done + {len(refused)} failed + 0 skipped" in batch.said()
    # One paid call for each line that has its answer: none was asked again after it.
    assert paid == done
