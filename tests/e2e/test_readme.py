"""The README's first example, run as a newcomer would run it."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from harness.house import a_house

pytestmark = pytest.mark.sockets

README = Path(__file__).parents[2] / "README.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PATIENCE_S = 60


async def test_the_readmes_example_runs_as_it_stands(fleet_vhost: str, tmp_path: Path):
    script = tmp_path / "example.py"
    script.write_text(EXAMPLE.findall(README.read_text())[0])
    async with a_house(fleet_vhost) as house:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            env={"AMQP_URL": house.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE_S):
            printed, complaint = await process.communicate()
        calls = house.simulator.log.events(kind="admitted")
    assert (process.returncode, complaint) == (0, b"")
    assert b"amount=" in printed
    assert b"completion_tokens=" in printed
    assert len(calls) == 2
