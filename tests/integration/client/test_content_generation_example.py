"""The article and the product texts, as a person runs them, against a real broker, worker and simulator."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet_simulator.faults import Fault, Kind, Match
from harness.examples import EXAMPLES, Program, program
from harness.house import House, a_house

pytestmark = pytest.mark.sockets

FOLDER = EXAMPLES / "content_generation"
SUBJECT = "The tides"
PATIENCE_S = 60


@pytest.fixture
def article(fleet_vhost: str, private_environ: Mapping[str, str], tmp_path: Path) -> Program:
    return program("content_generation/article.py", fleet_vhost, private_environ, tmp_path)


@pytest.fixture
def product_texts(fleet_vhost: str, private_environ: Mapping[str, str], tmp_path: Path) -> Program:
    return program("content_generation/product_texts.py", fleet_vhost, private_environ, tmp_path)


def calls_of(house: House) -> int:
    return len(house.simulator.log.events(kind="admitted"))


async def stopped_in_the_second_part(article: Program) -> tuple[int, str]:
    """Run it, and press Ctrl-C once its second part has begun; its status, and what it had printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        FOLDER / "article.py",
        SUBJECT,
        cwd=article.folder,
        env=dict(article.environ),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            out = await process.stdout.readuntil(b"\n## 2. ")
            process.send_signal(signal.SIGINT)
            out += await process.stdout.read()
            return await process.wait(), out.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_an_article_that_was_stopped_goes_on_and_pays_no_finished_part_twice(article: Program):
    async with a_house(article.environ["AMQP_URL"]) as house:
        # The outline is not streamed, so this is the second part: it can't be finished before Ctrl-C comes.
        house.simulator.inject(
            Fault(Kind.STALL, Match(stream=True, nth=2), after_chunks=8, seconds=PATIENCE_S)
        )
        status, shown = await stopped_in_the_second_part(article)
        before = calls_of(house)
        again = await article(SUBJECT)
        after = calls_of(house)
        third = await article(SUBJECT)
        assert calls_of(house) == after
    assert (status, before) == (130, 3)
    assert (again.status, again.complaint) == (0, "")
    text = (article.folder / "the-tides.md").read_text()
    parts = text.count("\n## ")
    assert parts >= 3
    assert after == before + parts - 1
    finished = shown[: shown.index("\n## 2. ")].strip()
    assert text.startswith(finished)
    assert third.out == again.out


async def test_an_article_that_deepseek_refuses_says_why_and_that_it_may_be_run_again(article: Program):
    async with a_house(article.environ["AMQP_URL"]) as house:
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        ended = await article(SUBJECT)
    assert ended.status == 1
    assert ended.complaint.startswith("upstream_rejected: ")
    assert "Run it again" in ended.complaint


async def test_a_product_without_a_text_gets_one_and_those_that_have_one_are_not_paid_again(
    product_texts: Program,
):
    products = str(FOLDER / "products.csv")
    texts = product_texts.folder / "product_texts.jsonl"
    async with a_house(product_texts.environ["AMQP_URL"]) as house:
        first = await product_texts(products)
        whole = texts.read_text().splitlines(keepends=True)
        texts.write_text("".join(whole[:2]) + whole[2][:10])  # as a crash leaves it
        again = await product_texts(products)
        calls = calls_of(house)
    assert (first.status, first.complaint, again.status, again.complaint) == (0, "", 0, "")
    told = [json.loads(line) for line in texts.read_text().splitlines()]
    assert sorted(each["sku"] for each in told) == ["C-200", "K-300", "S-400", "T-100"]
    assert {line.rstrip("\n") for line in whole} == set(texts.read_text().splitlines())
    assert calls == 4
