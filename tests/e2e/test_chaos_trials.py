"""A broken step of the protocol breaks a promise, and the checker says which; whole workers break none."""

from pathlib import Path

import pytest

from chaos.broken_steps import Step
from chaos.trials import trial

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(240)]

BROKEN = {
    Step.PUBLISH_BEFORE_COMMIT: ["answered twice: 1, as trial"],
    Step.ACK_FIRST: ["lost: 1, as trial"],
    Step.NO_FENCE: ["answered twice: 1, as trial"],
}


@pytest.mark.parametrize("step", Step)
async def test_the_checker_finds_out_a_broken_step(
    fleet_vhost: str, store_url: str, tmp_path: Path, step: Step
):
    report = await trial(step, fleet_vhost, store_url, tmp_path, broken=True)
    assert report.violations == BROKEN[step]


@pytest.mark.parametrize("step", Step)
async def test_whole_workers_keep_every_promise_in_the_same_trouble(
    fleet_vhost: str, store_url: str, tmp_path: Path, step: Step
):
    report = await trial(step, fleet_vhost, store_url, tmp_path, broken=False)
    assert report.violations == []
    assert report.results == 1
