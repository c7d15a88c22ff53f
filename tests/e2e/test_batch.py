"""A batch on the command line, with a real worker process and a simulator, killed on the way."""

import os
from pathlib import Path

import pytest

from fleet_simulator.config import SimulatorConfig
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import Running, serve
from harness.batches import REFUSED, Batch, a_batch, results_in, write_prompts
from harness.processes import a_fleet

pytestmark = pytest.mark.sockets

LINES = 300
MANY = int(os.environ.get("FLEET_TEST_BATCH_LINES", "20000"))  # noqa: TID251 -- a switch of this test alone
FAILING = Fault(Kind.STATUS, match=Match(prompt=REFUSED), status=422)
NOW_AND_THEN = Fault(Kind.STATUS, status=503, probability=0.02)


async def killed_three_times(
    batch: Batch, simulator: Running, lines: int, refused: set[str], deadline_s: float
) -> None:
    for part in (1, 2, 3):
        await batch.run_and_kill(lines * part // 5, deadline_s=deadline_s)
    # What one of the three has left behind, the last one mends; failures make it end with 1.
    assert await batch.run(deadline_s=deadline_s) == 1, batch.log.read_text()[-2000:]
    found = results_in(batch.results)
    assert found.twice == set()
    assert found.failed == refused
    assert len(found.answered) == lines - len(refused)
    said = batch.log.read_text().splitlines()
    done = lines - len(refused)
    assert any(f"{lines} lines = {done} done + {len(refused)} failed + 0 skipped" in line for line in said)
    # One paid call for each line that has its answer: none was asked again after it.
    assert len(simulator.simulator.log.events(kind="charged")) == done


async def test_a_batch_that_is_killed_three_times_ends_complete_and_pays_nothing_twice(
    fleet_vhost: str, tmp_path: Path
) -> None:
    batch = a_batch(tmp_path, fleet_vhost, "--concurrency", "40")
    refused = write_prompts(batch.source, LINES, refused_every=20)
    async with (
        serve(SimulatorConfig().at_once()) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path) as fleet,
    ):
        simulator.inject(FAILING)
        await fleet.start_worker()
        await killed_three_times(batch, simulator, LINES, refused, deadline_s=60)
