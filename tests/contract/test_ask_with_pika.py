"""The example that a backend copies works against a real broker and a real worker."""

import asyncio
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet_contracts.topology import reply_queue
from fleet_simulator.faults import Fault, Kind
from harness.house import a_house

Environ = Mapping[str, str]

pytestmark = pytest.mark.sockets


@pytest.fixture
def script(contracts: Path) -> Path:
    return contracts / "examples" / "ask_with_pika.py"


async def run(script: Path, environ: Environ, url: str, *arguments: str) -> tuple[int | None, str, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        *arguments,
        env={**environ, "AMQP_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            out, err = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise
    return child.returncode, out.decode(), err.decode()


async def test_it_prints_the_chunks_and_then_the_same_answer_whole(
    script: Path, fleet_vhost: str, private_environ: Environ
):
    async with a_house(fleet_vhost) as house:
        ended, out, err = await run(script, private_environ, house.url, "Name three rivers.")
    assert (ended, err) == (0, "")
    assert "[a new attempt" not in out
    streamed, answer = out[: len(out) // 2], out[len(out) // 2 :]
    assert streamed.strip()
    assert streamed.strip() == answer.strip()


async def test_it_says_when_a_new_attempt_voids_what_it_printed(
    script: Path, fleet_vhost: str, private_environ: Environ
):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.EOF_WITHOUT_DONE, after_chunks=4, times=1))
        ended, out, err = await run(script, private_environ, house.url, "Name three rivers.")
    assert (ended, err) == (0, "")
    assert out.count("[a new attempt") == 1


async def test_a_failure_ends_it_with_code_and_message(
    script: Path, fleet_vhost: str, private_environ: Environ
):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        ended, out, err = await run(script, private_environ, house.url)
    assert (ended, out) == (1, "")
    assert err.startswith("upstream_rejected: ")


def test_it_declares_its_queue_with_the_arguments_of_the_contract(script: Path):
    assert runpy.run_path(str(script))["QUEUE_ARGUMENTS"] == reply_queue("acme", "x").arguments
