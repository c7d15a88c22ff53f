"""The README's Python, run as a newcomer would run it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.house import a_house
from harness.programs import run
from harness.web import served

pytestmark = pytest.mark.sockets

README = Path(__file__).parents[2] / "README.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def example(word: str) -> str:
    [found] = [code for code in EXAMPLE.findall(README.read_text()) if word in code]
    return found


async def test_the_readmes_example_runs_as_it_stands(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        ended = await run(example("asyncio.run"), AMQP_URL=house.url)
        calls = house.simulator.log.events(kind="admitted")
    assert (ended.status, ended.complaint) == (0, "")
    assert "amount=" in ended.out
    assert "completion_tokens=" in ended.out
    assert len(calls) == 2


async def test_the_readmes_flask_view_streams_an_answer(
    fleet_vhost: str, tmp_path: Path, private_environ: Mapping[str, str]
):
    (tmp_path / "app.py").write_text(example("Flask"))
    environ = {**private_environ, "AMQP_URL": fleet_vhost}
    async with a_house(fleet_vhost) as house, served(tmp_path, "app:app", environ) as web:
        answer = await web.get("/ask", params={"q": "Why is the sky blue?"})
        calls = house.simulator.log.events(kind="admitted")
    assert answer.status_code == 200
    assert answer.text.startswith('data: "')
    assert answer.text.endswith("\n\n")
    assert len(calls) == 1
