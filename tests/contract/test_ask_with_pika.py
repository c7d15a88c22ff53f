"""The example that a backend copies works against a real broker and a real worker."""

import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fleet_contracts.topology import reply_queue
from fleet_simulator.faults import Fault, Kind
from harness.breaks import break_once_seen
from harness.house import a_house
from harness.programs import ran

Environ = Mapping[str, str]

pytestmark = pytest.mark.sockets


@pytest.fixture
def script(contracts: Path) -> Path:
    return contracts / "examples" / "ask_with_pika.py"


async def ask(script: Path, environ: Environ, url: str, *words: str, **options: Any) -> tuple[int, str, str]:
    program = (sys.executable, str(script), *words)
    ended = await ran(*program, environ={**environ, "AMQP_URL": url}, **options)
    return ended.status, ended.out, ended.complaint


async def test_it_prints_the_chunks_and_then_the_same_answer_whole(
    script: Path, fleet_vhost: str, private_environ: Environ
):
    async with a_house(fleet_vhost) as house:
        ended, out, err = await ask(script, private_environ, house.url, "Name three rivers.")
    assert (ended, err) == (0, "")
    assert "[a new attempt" not in out
    streamed, answer = out[: len(out) // 2], out[len(out) // 2 :]
    assert streamed.strip()
    assert streamed.strip() == answer.strip()


async def test_it_says_when_a_new_attempt_voids_what_it_printed(
    script: Path, fleet_vhost: str, private_environ: Environ
):
    async with a_house(fleet_vhost) as house:
        seen = break_once_seen(house.simulator)
        ended, out, err = await ask(
            script, private_environ, house.url, "Name three rivers.", once_it_speaks=seen
        )
    assert (ended, err) == (0, "")
    assert out.count("[a new attempt") == 1


async def test_a_failure_ends_it_with_code_and_message(
    script: Path, fleet_vhost: str, private_environ: Environ
):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        ended, out, err = await ask(script, private_environ, house.url)
    assert (ended, out) == (1, "")
    assert err.startswith("upstream_rejected: ")


def test_it_declares_its_queue_with_the_arguments_of_the_contract(script: Path):
    assert runpy.run_path(str(script))["QUEUE_ARGUMENTS"] == reply_queue("acme", "x").arguments
