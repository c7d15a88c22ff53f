"""Batches: many lines under one name, a window at a time, and going on where a run broke off."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress

import pytest

from fleet_client import BatchOutcome, BatchUnderWay, FleetClosed, InvalidRequest, Line, RateLimited, TooLarge
from fleet_client.face import Face
from fleet_client.testing import Fails
from harness.stages import Open, OpenSync

PATIENCE_S = 30.0

pytestmark = pytest.mark.sockets


async def ended(outcomes: AsyncGenerator[BatchOutcome]) -> dict[str, BatchOutcome]:
    async with asyncio.timeout(PATIENCE_S), aclosing(outcomes):
        return {outcome.key: outcome async for outcome in outcomes}


async def broken_off(outcomes: AsyncGenerator[BatchOutcome], after: int) -> list[str]:
    """The keys that were finished before the reader broke off."""
    finished: list[str] = []
    async with asyncio.timeout(PATIENCE_S), aclosing(outcomes):
        async for outcome in outcomes:
            if len(finished) == after:
                return finished
            finished.append(outcome.key)
    raise AssertionError("there were not so many outcomes")


async def test_every_line_ends_once_with_its_key(stage: Open) -> None:
    async with stage("one", Fails("rate_limited"), "three") as play:
        lines = ["a?", Line("b?", "second", {"max_tokens": 5}), Line("c?", "third")]
        found = await ended(play.fleet.batch(lines, "mine", window=1, thinking=False, temperature=0.5))
    assert set(found) == {"1", "second", "third"}
    assert found["1"].unwrap().text == "one"
    assert isinstance(found["second"].error, RateLimited)
    asked = play.asked()
    assert [each.lane for each in asked] == ["batch"] * 3
    assert asked[1].body == {
        "temperature": 0.5,
        "max_tokens": 5,
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": "b?"}],
        "thinking": {"type": "disabled"},
    }


async def test_no_more_lines_are_read_than_may_be_under_way(stage: Open) -> None:
    read: list[int] = []

    def lines() -> Iterator[str]:
        for number in range(20):
            read.append(number)
            yield f"{number}?"

    async with stage(*["yes"] * 20) as play, aclosing(play.fleet.batch(lines(), "narrow", window=3)) as found:
        async with asyncio.timeout(PATIENCE_S):
            await anext(found)
            await play.until_asked(3)
        assert len(read) == 3


async def test_a_run_that_broke_off_goes_on_and_nothing_is_asked_twice(stage: Open) -> None:
    words = [f"{number}?" for number in range(6)]
    async with stage(*["yes"] * 30) as play:
        finished = await broken_off(play.fleet.batch(words, "again", window=4), after=2)
        await play.until_asked(4)
        rest = [Line(word, str(n)) for n, word in enumerate(words, start=1) if str(n) not in finished]
        found = await ended(play.fleet.batch(rest, "again", window=4))
    assert set(found) == {"1", "2", "3", "4", "5", "6"} - set(finished)
    assert all(outcome.answer is not None for outcome in found.values())


async def test_an_outcome_that_was_not_finished_is_shown_again(stage: Open) -> None:
    async with stage("yes") as play:
        with suppress(ZeroDivisionError):
            async with aclosing(play.fleet.batch(["a?"], "crashed")) as outcomes:
                async for _ in outcomes:
                    raise ZeroDivisionError
        found = await ended(play.fleet.batch(["a?"], "crashed"))
    assert found["1"].unwrap().text == "yes"


async def test_the_same_line_has_the_same_id_in_every_run_and_another_once_it_asks_otherwise(
    stage: Open,
) -> None:
    async with stage("yes", "no") as play:
        first = await ended(play.fleet.batch([Line("a?", "k")], "stable"))
        other = await ended(play.fleet.batch([Line("b?", "k")], "stable"))
    assert first["k"].id.startswith("stable:k:")
    assert first["k"].id != other["k"].id


async def test_a_second_run_at_the_same_time_says_so(stage: Open) -> None:
    async with stage("yes") as play, aclosing(play.fleet.batch(["a?", "b?"], "one")) as outcomes:
        async with asyncio.timeout(PATIENCE_S):
            await anext(outcomes)
            with pytest.raises(BatchUnderWay, match="another name"):
                await anext(play.fleet.batch(["a?"], "one"))


async def test_a_line_that_can_not_be_asked_ends_alone(stage: Open) -> None:
    lines = [
        Line("a?", "streamed", {"stream": True}),
        Line("x" * (8 * 1024 * 1024), "huge"),
        Line("a?", "no-model", {"model": 3}),
        Line("a?", "fine"),
    ]
    async with stage("yes") as play:
        found = await ended(play.fleet.batch(lines, "mixed", window=1))
    assert isinstance(found["streamed"].error, InvalidRequest)
    assert isinstance(found["huge"].error, TooLarge)
    assert isinstance(found["no-model"].error, InvalidRequest)
    assert found["fine"].unwrap().text == "yes"


async def test_a_failed_line_is_asked_anew_by_counting_up_retry(stage: Open) -> None:
    async with stage(Fails("internal"), "better") as play:
        first = await ended(play.fleet.batch([Line("a?", "k")], "retried"))
        again = await ended(play.fleet.batch([Line("a?", "k", retry=1)], "retried"))
    assert first["k"].error is not None
    assert (again["k"].unwrap().text, again["k"].retry, again["k"].id) == ("better", 1, first["k"].id)


async def test_lines_may_come_as_they_are_made(stage: Open) -> None:
    async def lines() -> AsyncGenerator[str]:
        for word in "ab":
            await asyncio.sleep(0)
            yield word

    async with stage("yes", "yes") as play:
        assert set(await ended(play.fleet.batch(lines(), "made"))) == {"1", "2"}
        assert await ended(play.fleet.batch([], "empty")) == {}


async def test_lines_that_can_not_be_read_end_the_batch_with_their_error(stage: Open) -> None:
    def lines() -> Iterator[str]:
        yield "a?"
        raise OSError("the disk is gone")

    async with stage("yes") as play:
        with pytest.raises(Exception, match="OSError") as told:
            await ended(play.fleet.batch(lines(), "torn"))
    assert isinstance(told.value.__cause__, OSError)


async def test_leaving_the_fleet_ends_the_batch(stage: Open) -> None:
    async with stage() as play:
        waiting = asyncio.ensure_future(anext(play.fleet.batch(["a?"], "left")))
        await play.until_asked()
    with pytest.raises(FleetClosed):
        await waiting


WRONG = [{"name": "a.b"}, {"name": ""}, {"window": 0}, {"window": 10_001}, {"expires_s": 0}]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_batch_is_told(stage: Open, wrong: dict[str, str | int]) -> None:
    async with stage() as play:
        with pytest.raises(InvalidRequest):
            await anext(_batch(play.fleet, **{"name": "fine", **wrong}))


def _batch(fleet: Face, name: str | int, **bounds: str | int) -> AsyncGenerator[BatchOutcome]:
    return fleet.batch(["a?"], str(name), **bounds)  # pyright: ignore[reportArgumentType] -- wrong on purpose


async def test_code_without_an_event_loop_runs_a_batch_too(sync_stage: OpenSync) -> None:
    async with sync_stage("yes", "yes") as play:

        def run() -> set[str]:
            return {outcome.key for outcome in play.fleet.batch(["a?", "b?"], "plain")}

        assert await asyncio.to_thread(run) == {"1", "2"}
