"""Every Python block of the client's README, run against a real broker, worker and simulator."""

import ast
import asyncio
import inspect
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fleet_client import Fleet
from fleet_simulator import DEFAULT_KEY
from harness.house import House, a_house
from harness.programs import run
from harness.waiting import until

pytestmark = pytest.mark.sockets

README = Path(__file__).parents[3] / "services/client/README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PATIENCE_S = 60
NOT_INSTALLED = ("celery", "langchain_deepseek")


class Block(NamedTuple):
    """A Python block, the heading it is under, and the line before it."""

    heading: str
    label: str
    code: str

    @property
    def is_program(self) -> bool:
        return "asyncio.run(" in self.code or "fleet_client.sync" in self.code or self.label == "Before:"

    @property
    def needs_what_is_not_installed(self) -> bool:
        return any(f"from {name} " in self.code for name in NOT_INSTALLED)


def blocks() -> list[Block]:
    text = README.read_text()
    return [
        Block(_last(r"^##+ (.+)$", before), before.rstrip().splitlines()[-1], found.group(1))
        for found in BLOCK.finditer(text)
        for before in (text[: found.start()],)
    ]


def _last(pattern: str, text: str) -> str:
    return re.findall(pattern, text, re.MULTILINE)[-1]


BLOCKS = blocks()
PROGRAMS = [block for block in BLOCKS if block.is_program and not block.needs_what_is_not_installed]
PARTS = [block for block in BLOCKS if not block.is_program]


def name(block: Block) -> str:
    return f"{block.heading} {block.label[:20]}"


@pytest.fixture
async def house(fleet_vhost: str) -> AsyncGenerator[House]:
    async with a_house(fleet_vhost) as running:
        yield running


async def execute(code: str, fleet: Fleet) -> dict[str, Any]:
    """Run a block as if it stood inside `async with Fleet(...) as fleet`."""
    compiled = compile(code, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    names: dict[str, Any] = {"fleet": fleet, "__name__": "readme"}
    done = eval(compiled, names)  # noqa: S307 -- the README's own code
    if inspect.isawaitable(done):
        await done
    return names


@pytest.mark.parametrize("block", PROGRAMS, ids=name)
async def test_a_program_of_the_readme_runs_as_it_stands(block: Block, house: House) -> None:
    ended = await run(
        block.code,
        AMQP_URL=house.url,
        DEEPSEEK_API_KEY=DEFAULT_KEY,
        DEEPSEEK_BASE_URL=house.simulator.base_url,
    )
    assert (ended.status, ended.complaint) == (0, "")
    assert ended.out or "submit" in block.code


@pytest.mark.parametrize("block", PARTS, ids=name)
async def test_a_part_of_the_readme_runs_inside_of_a_fleet(block: Block, house: House) -> None:
    async with asyncio.timeout(PATIENCE_S), Fleet(house.url) as fleet:
        names = await execute(block.code, fleet)
        for test in [value for key, value in names.items() if key.startswith("test_")]:
            await test()


async def test_the_loop_over_results_prints_what_was_submitted(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = [block.code for block in PARTS if "keep_books" in block.code]
    said: list[str] = []
    async with Fleet(house.url) as fleet:
        keep_books = (await execute(code, fleet))["keep_books"]
        keeping = asyncio.create_task(keep_books(fleet))

        def has_said_so() -> bool:
            said.append(capsys.readouterr().out)
            return "contract-7" in "".join(said)

        while not has_said_so():  # until its queue is there
            await fleet.submit("Summarise the contract.", id="contract-7")
            try:
                await until(has_said_so, deadline_s=1)
            except TimeoutError:
                continue
        keeping.cancel()


def test_before_and_after_stand_side_by_side() -> None:
    labels = [block.label for block in BLOCKS if block.label in {"Before:", "After:"}]
    assert labels == ["Before:", "After:"] * 3


def test_every_error_and_event_that_is_public_is_in_the_readme() -> None:
    import fleet_client

    text = README.read_text()
    errors = [
        each
        for each in fleet_client.__all__
        if isinstance(getattr(fleet_client, each), type)
        and issubclass(getattr(fleet_client, each), fleet_client.FleetError)
    ]
    assert [each for each in errors if f"`{each}`" not in text] == []
