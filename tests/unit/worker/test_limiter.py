import asyncio
from typing import Any

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import StoreScriptError
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import FleetLimiter, Rules, in_memory
from fleet_worker.limiter.memory_book import MemoryBook
from fleet_worker.prices import published_prices
from harness.clock import HandClock
from harness.limiters import a_limiter, a_limiter_observer, an_answer
from harness.requests import a_request
from harness.simulated_time import in_simulated_time

CLOCK = HandClock()


def a_limiter_of(slots: int) -> FleetLimiter:
    return in_memory(slots, published_prices(), CLOCK, a_limiter_observer())


async def taken(limiter: FleetLimiter, seconds: float = 5) -> Any:
    return await limiter.acquire(a_request(), Deadline(CLOCK.monotonic() + seconds))


async def test_a_permit_that_comes_just_as_its_waiter_is_cancelled_goes_to_the_next():
    limiter = a_limiter_of(1)
    first = await taken(limiter)
    waiting = asyncio.create_task(taken(limiter))
    await asyncio.sleep(0)
    first.release(an_answer())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (await taken(limiter)).release(an_answer())


async def test_a_deadline_that_passes_in_line_leaves_nothing_behind():
    limiter = a_limiter_of(1)
    first = await taken(limiter)
    with pytest.raises(CompletionError) as late:
        await taken(limiter, 0.01)
    assert late.value.code is ErrorCode.DEADLINE_EXCEEDED
    first.release(an_answer())
    (await taken(limiter)).release(an_answer())


async def test_a_permit_without_a_call_is_given_back_uncharged():
    limiter = a_limiter_of(1)
    (await taken(limiter)).give_back()
    (await taken(limiter)).give_back()


@in_simulated_time
async def test_beats_go_on_after_the_store_refused_one():
    limiter = a_limiter_of(1)
    book: Any = limiter.desk._book  # pyright: ignore[reportPrivateUsage]
    beat, beaten = book.beat, asyncio.Event()

    async def refused_once(*told: Any, **more: Any) -> Any:
        book.beat = heard
        del told, more
        raise StoreScriptError("no")

    async def heard(*told: Any, **more: Any) -> Any:
        beaten.set()
        return await beat(*told, **more)

    book.beat = refused_once
    running = asyncio.create_task(limiter.desk.run())
    await asyncio.wait_for(beaten.wait(), 5)
    running.cancel()


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": {}}, {"prompt_tokens": "all"}, {"prompt_tokens": 1e400}, {"completion_tokens": -9}],
)
async def test_a_use_that_makes_no_sense_keeps_no_permit(usage: dict[str, Any]):
    limiter = a_limiter_of(1)
    (await taken(limiter)).release(Completion({"usage": usage}, None, None, 1))
    (await taken(limiter)).release(an_answer())


async def test_one_settlement_that_the_store_refuses_for_good_stops_no_beat():
    rules = Rules(concurrency=1, start=1)
    book: Any = MemoryBook(rules, CLOCK)
    book.beat_s, beaten = 0.1, book.beat
    limiter = a_limiter(book, "memory", rules)
    book.bind(limiter.desk)

    async def refused(*_told: Any) -> Any:
        raise StoreScriptError("no")

    permit = await limiter.acquire(a_request(), Deadline(SystemClock().monotonic() + 5))
    book.release = refused
    beats: list[str] = []

    async def heard(pool: str, *told: Any, **more: Any) -> Any:
        beats.append(pool)
        return await beaten(pool, *told, **more)

    book.beat = heard
    permit.release(an_answer())
    await limiter.desk.beat()
    await limiter.desk.beat()
    assert len(beats) >= 2
    assert not limiter.desk.away


async def test_a_permit_that_nobody_gave_back_is_not_stated_for_ever():
    clock = HandClock()
    limiter = in_memory(1, published_prices(), clock, a_limiter_observer())
    permit = await limiter.acquire(a_request(), Deadline(clock.monotonic() + 5))
    (pool,) = limiter.desk._pools.values()  # pyright: ignore[reportPrivateUsage]
    await limiter.desk.beat()
    assert len(pool.held) == 1
    clock.advance(Rules().longest_s + 3600)
    await limiter.desk.beat()
    assert pool.held == {}
    permit.release(an_answer())


async def test_a_call_ends_with_its_permit_where_that_is_wanted():
    limiter = a_limiter_of(1)
    permit, began = await taken(limiter), asyncio.Event()
    (pool,) = limiter.desk._pools.values()  # pyright: ignore[reportPrivateUsage]

    async def call() -> None:
        with permit.kept():
            began.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(call())
    await began.wait()
    (ask_id,) = pool.held
    assert pool.lose(ask_id)
    with pytest.raises(CompletionError) as lost:
        await running
    assert (lost.value.code, lost.value.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)
    with pytest.raises(CompletionError), permit.kept():
        pytest.fail("a call that begins without a permit")
    assert pool.on_loss == {}


async def test_a_call_that_somebody_else_cancels_is_not_blamed_on_its_permit():
    limiter = a_limiter_of(1)
    permit, began = await taken(limiter), asyncio.Event()

    async def call() -> None:
        with permit.kept():
            began.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(call())
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
