"""A tenant's budget, under many callers on several workers."""

import asyncio

import pytest

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.limiter.overview import Overview
from fleet_worker.limiter.rules import Rules
from fleet_worker.prices import published_prices
from harness.limiters import CLOCK, LimitedWorker, a_limited_worker, an_answer
from harness.requests import a_request
from harness.waiting import until_so

pytestmark = pytest.mark.sockets

RULES = Rules(concurrency=500, start=500)
MOST_TOKENS = 20_000


async def test_a_budget_of_one_dollar_is_never_exceeded_by_a_hundred_callers(store_url: str):
    spent = 0.0
    refused = 0

    async def caller(worker: LimitedWorker, number: int) -> None:
        nonlocal spent, refused
        request = a_request(body={"model": "deepseek-flash", "max_tokens": MOST_TOKENS})
        while True:
            try:
                permit = await worker.limiter.acquire(request, Deadline(CLOCK.monotonic() + 30))
            except CompletionError as error:
                refused += error.code is ErrorCode.BUDGET_EXCEEDED
                return
            await asyncio.sleep(0.01)
            # From nearly nothing to everything that was asked for.
            answer = an_answer(10, MOST_TOKENS * (1 + number % 10) // 10)
            cost = published_prices().cost_of("deepseek-flash", answer.response["usage"], CLOCK.now_ms())
            assert cost is not None
            spent += float(cost)
            permit.release(answer)

    async with (
        a_limited_worker(store_url, "w1", RULES) as one,
        a_limited_worker(store_url, "w2", RULES) as two,
    ):
        overview = Overview(one.store, "fleet", CLOCK)
        await overview.set_tenant("acme", day=1.0)
        await asyncio.gather(*(caller((one, two)[number % 2], number) for number in range(100)))
        # While calls are under way all that they may cost counts, and whoever is refused then leaves.
        await until_nothing_is_in_flight(overview)
        await caller(one, 9)
    assert refused == 101
    assert 0.9 < spent <= 1.0


async def until_nothing_is_in_flight(overview: Overview) -> None:
    async def is_so() -> bool:
        return not any(pool.in_flight for pool in (await overview.view()).pools)

    await until_so(is_so)


async def test_readers_who_leave_early_do_not_shut_their_tenant_out(store_url: str):
    async with a_limited_worker(store_url, "w1", RULES) as worker:
        overview = Overview(worker.store, "fleet", CLOCK)
        await overview.set_tenant("acme", day=5.0)
        request = a_request()
        for _ in range(200):
            permit = await worker.limiter.acquire(request, Deadline(CLOCK.monotonic() + 30))
            permit.release(None, 100)
        await worker.limiter.desk.aclose()
        (row,) = await overview.usage(1)
    assert (row.calls, row.output) == (200, 200 * 150)
    assert 0 < row.dollars < 0.2
