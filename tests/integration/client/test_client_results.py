"""Handing requests over, and following how they end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import pytest

from fleet_client import FleetClosed, InvalidRequest, Outcome, Rejected
from fleet_client.face import Face
from fleet_client.testing import Fails
from harness.stages import Open, Stage

PATIENCE_S = 60.0


@asynccontextmanager
async def a_reader(fleet: Face, name: str = "invoices", **options: Any) -> AsyncGenerator["Reader"]:
    async with asyncio.timeout(PATIENCE_S), aclosing(fleet.results(name, **options)) as outcomes:
        yield Reader(outcomes)


class Reader:
    """A loop over results, one step at a time."""

    def __init__(self, outcomes: AsyncGenerator[Outcome]) -> None:
        self._outcomes = outcomes

    async def next(self) -> Outcome:
        """Finish the one before, and take the next."""
        return await anext(self._outcomes)


async def make_queue(play: Stage, name: str = "invoices", **options: Any) -> None:
    """A first reader comes and goes, so that the queue is there."""
    async with a_reader(play.fleet, name, **options) as reader:
        waiting = asyncio.ensure_future(reader.next())
        await play.until_followed(name)
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_what_was_submitted_ends_on_the_results(stage: Open) -> None:
    async with stage("yes", Fails("upstream_rejected"), tenant="billing") as play:
        await make_queue(play)
        assert await play.fleet.submit("one?", id="invoice-1", max_tokens=5) == "invoice-1"
        await play.until_asked()  # each lane has a queue of its own
        assert await play.fleet.submit("two?", id="invoice-2", lane="batch", deadline=60) == "invoice-2"
        async with a_reader(play.fleet) as reader:
            found = {outcome.id: outcome for outcome in (await reader.next(), await reader.next())}
    assert found["invoice-1"].unwrap().text == "yes"
    assert (found["invoice-1"].tenant, found["invoice-1"].model) == ("billing", "deepseek-flash")
    with pytest.raises(Rejected):
        found["invoice-2"].unwrap()
    one, two = sorted(play.asked(), key=lambda asked: asked.id)
    assert not one.wants_replies
    assert one.headers == {"fleet-tenant": "billing"}
    assert (two.lane, "fleet-deadline-ms" in two.headers) == ("batch", True)


async def test_a_new_reader_goes_on_where_the_last_one_was(stage: Open) -> None:
    async with stage("a", "b", "c") as play:
        await make_queue(play)
        for word in "abc":
            await play.fleet.submit(word, id=word)
            await play.until_said(word)
        async with a_reader(play.fleet) as reader:
            first, second = await reader.next(), await reader.next()
        async with a_reader(play.fleet) as reader:
            again, third = await reader.next(), await reader.next()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await reader.next()
    assert [outcome.id for outcome in (first, second, again, third)] == ["a", "b", "b", "c"]


async def test_whoever_fails_in_the_loops_body_sees_that_outcome_again(stage: Open) -> None:
    async with stage("a") as play:
        await make_queue(play)
        await play.fleet.submit("a", id="a")
        with suppress(ZeroDivisionError):
            async with a_reader(play.fleet) as reader:
                await reader.next()
                raise ZeroDivisionError
        async with a_reader(play.fleet) as reader:
            assert (await reader.next()).id == "a"


async def test_answers_that_somebody_waits_for_are_on_the_results_too(stage: Open) -> None:
    async with stage("yes") as play:
        await make_queue(play)
        await play.fleet.complete("hi", id="waited-for")
        async with a_reader(play.fleet) as reader:
            assert (await reader.next()).unwrap().id == "waited-for"


async def test_a_pattern_picks_what_is_followed(stage: Open) -> None:
    async with stage("yes", Fails("internal"), "other", "yes") as play:
        await make_queue(play, "failed", pattern="failure.#")
        await make_queue(play, "refunds", pattern=["result.refunds.*", "failure.refunds.*"])
        await play.fleet.complete("hi", id="one")
        await play.fleet.submit("hi", id="two")
        await play.until_asked(2)
        await play.fleet.submit("hi", id="three", tenant="refunds")
        async with a_reader(play.fleet, "failed", pattern="failure.#") as reader:
            assert (await reader.next()).id == "two"
        async with a_reader(
            play.fleet, "refunds", pattern=["result.refunds.*", "failure.refunds.*"]
        ) as reader:
            assert (await reader.next()).id == "three"


async def test_a_full_queue_lets_its_oldest_go(stage: Open) -> None:
    async with stage("a", "b", "c") as play:
        await make_queue(play, max_messages=2)
        for word in "abc":
            await play.fleet.complete(word, id=word)
            await play.until_said(word)  # whoever waits is told before those who follow
        async with a_reader(play.fleet, max_messages=2) as reader:
            assert [(await reader.next()).id, (await reader.next()).id] == ["b", "c"]


async def test_readers_of_one_name_share_the_work(stage: Open) -> None:
    async with (
        stage(*"ab") as play,
        a_reader(play.fleet, prefetch=1) as one,
        a_reader(play.fleet, prefetch=1) as other,
    ):
        both = [asyncio.create_task(one.next()), asyncio.create_task(other.next())]
        await play.until_followed(readers=2)
        for word in "ab":
            await play.fleet.submit(word, id=word)
        assert {(await first).id for first in both} == {"a", "b"}


async def test_leaving_the_fleet_ends_the_loop(stage: Open) -> None:
    async with stage() as play:
        results = play.fleet.results("invoices")
        waiting = asyncio.ensure_future(anext(results))
        await play.until_followed()
    with pytest.raises(FleetClosed):
        await waiting


WRONG: list[dict[str, Any]] = [
    {"name": "a.b"},
    {"name": ""},
    {"pattern": []},
    {"max_messages": 0},
    {"prefetch": 0},
]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_wish_is_told(stage: Open, wrong: dict[str, Any]) -> None:
    async with stage() as play:
        with pytest.raises(InvalidRequest):
            await anext(
                play.fleet.results(
                    wrong.get("name", "invoices"), **{key: wrong[key] for key in wrong if key != "name"}
                )
            )


async def test_what_can_not_be_submitted_is_told(stage: Open) -> None:
    async with stage() as play:
        with pytest.raises(InvalidRequest):
            await play.fleet.submit("hi", deadline=-1)
    with pytest.raises(FleetClosed):
        await play.fleet.submit("hi")
