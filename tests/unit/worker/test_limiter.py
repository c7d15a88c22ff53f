import asyncio
from typing import Any

import pytest

from fleet_chassis.store import StoreScriptError
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import FleetLimiter, in_memory
from fleet_worker.prices import published_prices
from harness.clock import HandClock
from harness.limiters import a_limiter_observer, an_answer
from harness.requests import a_request

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


async def test_beats_go_on_after_the_store_refused_one():
    limiter = a_limiter_of(1)
    book: Any = limiter.desk._book  # pyright: ignore[reportPrivateUsage]
    beat, beaten = book.beat, asyncio.Event()

    async def refused_once(*told: Any) -> Any:
        book.beat = heard
        del told
        raise StoreScriptError("no")

    async def heard(*told: Any) -> Any:
        beaten.set()
        return await beat(*told)

    book.beat = refused_once
    running = asyncio.create_task(limiter.desk.run())
    await asyncio.wait_for(beaten.wait(), 5)
    running.cancel()
