"""A minute of chaos: real processes under a light load while the worst of the troubles come, one by one."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from chaos.plan import Plan, Trouble
from chaos.report import lines
from chaos.run import run

# Answers may take minutes on a machine that does much else: what is looked at here is what comes, not when.
pytestmark = [pytest.mark.sockets, pytest.mark.timeout(600)]

SLICE = Plan(
    requests=260,
    rate=5.0,
    kill_every_s=13.0,
    broker_restarts=1,
    store_restarts=1,
    resets=1,
    blackholes=0,
    delays=0,
    store_resets=1,
    store_blackholes=0,
    stops=1,
    seed=5,
)


async def test_a_fleet_that_breaks_for_a_minute_loses_nothing_and_answers_nothing_twice(
    private_environ: Mapping[str, str], tmp_path: Path
):
    report, told = await run(SLICE, private_environ, tmp_path, print)
    shown = "\n".join(lines(report, told))
    assert report.violations == [], shown
    assert report.requests == SLICE.requests, shown
    assert report.results + report.cancelled > 0.95 * SLICE.requests, shown
    # Kills are left out while a worker is still being started in the last one's place.
    assert set(told) >= {Trouble.KILL, Trouble.BROKER_RESTART, Trouble.STORE_RESTART, Trouble.RESET}, shown
