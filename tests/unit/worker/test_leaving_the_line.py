"""Whoever leaves the line for a permit holds none, whatever came at the same moment."""

import asyncio

import pytest

from fleet_chassis.clock import SystemClock
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import crowding, in_memory
from fleet_worker.limiter.memory_book import MemoryBook
from fleet_worker.limiter.rules import Rules
from fleet_worker.postponed import PostponedError
from fleet_worker.prices import published_prices
from harness.limiters import POOL, a_limiter, a_limiter_observer
from harness.requests import a_request


async def test_a_permit_that_comes_together_with_a_cancel_is_not_stated_for_ever():
    clock = SystemClock()
    limiter = in_memory(1, published_prices(), clock, a_limiter_observer())
    deadline = Deadline(clock.monotonic() + 60)
    permit = await limiter.acquire(a_request(), deadline)
    waiting = asyncio.create_task(limiter.acquire(a_request(), deadline))
    for _ in range(5):
        await asyncio.sleep(0)
    permit.release(None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert limiter.desk.pool(POOL).held == {}


async def test_who_is_put_aside_waits_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(crowding, "HOLD_S", 0.01)
    clock, rules = SystemClock(), Rules(concurrency=1, start=1, waiters=1)
    book = MemoryBook(rules, clock)
    limiter = a_limiter(book, "memory", rules)
    book.bind(limiter.desk)
    deadline = Deadline(clock.monotonic() + 60)
    permit = await limiter.acquire(a_request(), deadline)
    waiting = asyncio.create_task(limiter.acquire(a_request(), deadline))
    await asyncio.sleep(0)
    with pytest.raises(PostponedError):
        await limiter.acquire(a_request(), deadline)
    permit.release(None)
    (await waiting).release(None)
    assert (limiter.desk.pool(POOL).wishes, limiter.desk.pool(POOL).held) == ({}, {})
