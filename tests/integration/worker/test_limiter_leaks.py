"""Nothing stays with anybody for ever: permits, places in line and money that were lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from fleet_chassis.store import RedisStore, StoreUnavailableError, open_store
from fleet_contracts.grammar import Lane
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import FleetLimiter
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.rules import Rules, TenantLimits
from fleet_worker.limiter.store_book import StoreBook
from fleet_worker.limiter.terms import Ended, Granted, Held, Settlement, Waits
from harness.limiters import (
    CLOCK,
    PATIENCE_S,
    POOL,
    QUICK,
    Heard,
    LimitedWorker,
    StoreDesk,
    a_limited_worker,
    an_answer,
    an_ask,
)
from harness.requests import a_request
from harness.waiting import until_so

pytestmark = pytest.mark.sockets

MODEL = "deepseek-v4-pro"
OTHER = f"default/{MODEL}"
"""A pool in which nobody beats who has nothing there."""
ANSWERED = Settlement(Ended.ANSWERED)
KEYS = Keys("fleet")
STATE, MEMBERS, LEASES, HELD, TICKETS, FINISH = 4, 5, 6, 7, 11, 13


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[RedisStore]:
    async with open_store(store_url, PATIENCE_S, CLOCK) as opened:
        yield opened


class Shop:
    """Books of several workers on one store."""

    def __init__(self, store: RedisStore, ends: AsyncExitStack, url: str) -> None:
        self.store = store
        self.url = url
        self._ends = ends

    async def desk(self, worker: str, rules: Rules = QUICK) -> StoreDesk:
        """A book without a worker behind it: it does what it is told and nothing by itself."""
        desk = StoreDesk(self.store, rules, worker)
        await desk.open()
        return desk

    async def deaf(self, worker: str, rules: Rules = QUICK) -> StoreBook:
        """A book that never listens: to the store, its worker is dead unless it beats."""
        return StoreBook(self.store, "fleet", worker, rules, CLOCK)

    async def worker(self, name: str, rules: Rules = QUICK) -> LimitedWorker:
        return await self._ends.enter_async_context(a_limited_worker(self.url, name, rules))

    async def count(self, pool: str, part: int) -> int:
        return await self.store.command("HLEN", KEYS.of(pool)[part])


@pytest.fixture
async def shop(store: RedisStore, store_url: str) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as ends:
        yield Shop(store, ends, store_url)


async def permit_of(limiter: FleetLimiter, **request: Any) -> Any:
    return await limiter.acquire(a_request(**request), Deadline(CLOCK.monotonic() + 20))


async def test_a_place_in_line_that_nobody_states_any_more_is_given_up(shop: Shop):
    desk = await shop.desk("w1")
    asks = [an_ask(number) for number in range(5)]
    assert isinstance([await desk.book.acquire(ask) for ask in asks][-1], Waits)
    await desk.book.beat(POOL, [Held(ask, 0) for ask in asks[:4]], [])
    assert (await shop.count(POOL, HELD), await shop.count(POOL, TICKETS)) == (4, 0)


async def test_a_permit_whose_return_was_not_heard_comes_back_though_its_worker_has_nothing_else(shop: Shop):
    worker = await shop.worker("w1")
    book: Any = worker.book
    leave, lost = book.leave, asyncio.Event()

    async def unheard(*_told: Any) -> Any:
        book.leave = leave
        lost.set()
        raise StoreUnavailableError("no answer")

    permit = await permit_of(worker.limiter, model=MODEL)
    book.leave = unheard
    permit.give_back()
    await asyncio.wait_for(lost.wait(), 5)
    await until_so(lambda: nothing_held(shop, OTHER))


async def nothing_held(shop: Shop, pool: str) -> bool:
    return await shop.count(pool, HELD) == 0


async def test_a_call_that_ends_while_its_worker_states_the_rest_is_charged(shop: Shop):
    worker = await shop.worker("w1", replace(QUICK, beat_s=30.0))
    first, second = await permit_of(worker.limiter), await permit_of(worker.limiter, model=MODEL)
    beat = worker.book.beat

    async def ends_meanwhile(pool: str, *told: Any, **more: Any) -> Any:
        beaten = await beat(pool, *told, **more)
        if pool == POOL:
            second.release(an_answer(1000, 1000))
        return beaten

    worker.book.beat = ends_meanwhile
    await worker.limiter.desk.beat()
    worker.book.beat = beat
    await until_so(lambda: nothing_held(shop, OTHER))
    money = await shop.store.command("HGETALL", KEYS.money)
    assert sum(int(nano) for name, nano in money.items() if name.startswith(b"d|")) > 0
    first.release(an_answer())


async def test_what_a_worker_is_giving_back_is_neither_dropped_nor_counted_again(shop: Shop):
    desk = await shop.desk("w1")
    ask = an_ask(0, worst=600)
    await desk.book.acquire(ask)
    await desk.book.beat(POOL, [], [], [ask.id])
    assert await desk.held() == {ask.id}
    await desk.book.release(ask, Settlement(Ended.ANSWERED, spent=500))
    await desk.book.beat(POOL, [], [], [ask.id])
    assert await desk.held() == set()
    assert await desk.spent("acme") == 500


async def test_a_frozen_worker_is_granted_nothing_more(shop: Shop):
    frozen = await shop.desk("w1", replace(QUICK, lease_s=0.5))
    living = await shop.desk("w2", replace(QUICK, lease_s=0.5))
    asks = [an_ask(number, worker="w2") for number in range(4)]
    for ask in asks:
        await living.book.acquire(ask)
    assert isinstance(await frozen.book.acquire(an_ask(1)), Waits)

    async def is_given_up() -> bool:
        await living.book.beat(POOL, [Held(ask, 0) for ask in asks], [])
        return await shop.count(POOL, TICKETS) == 0

    await until_so(is_given_up)
    await living.book.release(asks[0], ANSWERED)
    assert await living.held() == {ask.id for ask in asks[1:]}


async def test_a_worker_that_lost_only_its_subscription_is_not_taken_for_dead_between_two_beats(shop: Shop):
    rules = replace(QUICK, beat_s=15.0, lease_s=60)
    deaf, other = await shop.deaf("w1", rules), await shop.desk("w2", rules)
    ask = an_ask(1)
    await deaf.acquire(ask)
    until = CLOCK.monotonic() + 1.8
    while CLOCK.monotonic() < until:
        await asyncio.sleep(0.1)
        await other.book.look(POOL)
    assert await other.held() == {ask.id}


async def test_a_store_that_stood_still_for_longer_than_leases_last_takes_nobody_for_dead(shop: Shop):
    not_yet_back, first_back = await shop.deaf("w1"), await shop.desk("w2")
    ask = an_ask(1)
    await not_yet_back.acquire(ask)
    # As the first who asks after that finds it: all leases are over, and nobody has subscribed again.
    keys = KEYS.of(POOL)
    await shop.store.command("ZADD", keys[MEMBERS], 1, "w1")
    await shop.store.command("HSET", keys[STATE], "swept", 1)
    for _ in range(3):
        await first_back.book.look(POOL)
    assert await first_back.held() == {ask.id}


async def taken_away_from(worker: StoreBook, shop: Shop, rules: Rules) -> StoreDesk:
    other = await shop.desk("w2", rules)
    ask = an_ask(1, worst=600)
    assert isinstance(await worker.acquire(ask), Granted)
    async with asyncio.timeout(10):
        while await other.held():
            await asyncio.sleep(0.05)
            await other.book.look(POOL)
    assert await other.spent("acme") == 600
    return other


async def test_a_worker_taken_for_dead_gets_its_permit_back_and_pays_once(shop: Shop):
    rules = replace(QUICK, lease_s=0.3)
    deaf = await shop.deaf("w1", rules)
    other = await taken_away_from(deaf, shop, rules)
    ask = an_ask(1, worst=600)
    beaten = await deaf.beat(POOL, [Held(ask, 500)], [])
    assert (beaten.lost, await other.held()) == ((), {ask.id})
    await deaf.release(ask, Settlement(Ended.ANSWERED, spent=100))
    assert await other.spent("acme") == 100


async def test_a_worker_taken_for_dead_is_told_what_it_lost_where_calls_end_with_their_permits(shop: Shop):
    rules = replace(QUICK, lease_s=0.3, keeps_lost=False)
    deaf = await shop.deaf("w1", rules)
    other = await taken_away_from(deaf, shop, rules)
    beaten = await deaf.beat(POOL, [Held(an_ask(1, worst=600), 500)], [])
    assert (beaten.lost, await other.held()) == (("w1.1",), set())


async def test_what_the_only_worker_of_a_pool_held_is_taken_back_by_those_who_have_nothing_there(shop: Shop):
    dead = await shop.deaf("w1")
    ask = an_ask(1, pool=OTHER, worst=600)
    assert isinstance(await dead.acquire(ask), Granted)
    await shop.worker("w2")
    await until_so(lambda: nothing_held(shop, OTHER))
    assert await shop.store.command("HGET", KEYS.money, "r|acme") is None


async def test_a_living_worker_is_asked_for_a_permit_that_it_does_not_know_of(shop: Shop):
    rules = replace(QUICK, lease_s=1.0)
    worker, other = await shop.worker("w1", rules), await shop.worker("w2", rules)
    # As by a command that a store which stood still finds in the socket of a connection that was given up.
    await worker.book.acquire(an_ask(77, pool=OTHER))
    other.limiter.desk.pool(OTHER).in_use = True
    await until_so(lambda: nothing_held(shop, OTHER))


async def test_a_pool_is_not_granted_from_before_its_own_permits_were_stated(shop: Shop):
    rules = replace(QUICK, concurrency=1, grace_s=6.0)
    one, two = await shop.worker("w1", rules), await shop.worker("w2", rules)
    here, there = await permit_of(one.limiter), await permit_of(one.limiter, model=MODEL)
    beat, stated, go_on = one.book.beat, asyncio.Event(), asyncio.Event()

    async def slowly(pool: str, *told: Any, **more: Any) -> Any:
        if pool == OTHER:
            await go_on.wait()
        beaten = await beat(pool, *told, **more)
        stated.set()
        return beaten

    one.book.beat = slowly
    await shop.store.command("FLUSHDB")
    second = asyncio.create_task(permit_of(two.limiter, model=MODEL))
    await asyncio.wait_for(stated.wait(), 10)
    await asyncio.sleep(5 * rules.beat_s)
    assert not second.done()
    go_on.set()
    there.release(an_answer())
    (await second).release(an_answer())
    here.release(an_answer())


async def test_what_was_spent_is_stated_again_to_a_store_that_forgot_before_anything_is_granted(shop: Shop):
    worker = await shop.worker("w1")
    desk = await shop.desk("w9")
    await worker.call(0, tenant="acme")
    await until_so(lambda: nothing_held(shop, POOL))
    spent = await desk.spent("acme")
    assert spent > 0
    await shop.store.command("FLUSHDB")
    await worker.call(0, tenant="beta")
    assert await desk.spent("acme") == spent


async def test_a_call_that_ends_before_a_store_that_forgot_heard_of_it_is_charged(
    shop: Shop,
):
    worker, desk = await shop.worker("w1"), await shop.desk("w9")
    await worker.call(0)
    await until_so(lambda: nothing_held(shop, POOL))
    once = await desk.spent("acme")
    permit = await permit_of(worker.limiter)
    await shop.store.command("FLUSHDB")
    permit.release(an_answer())
    await worker.call(0)
    await until_so(lambda: nothing_held(shop, POOL))
    assert await desk.spent("acme") == 3 * once


async def test_counts_that_were_lost_are_counted_anew(shop: Shop):
    desk = await shop.desk("w1")
    for number in range(2):
        await desk.book.acquire(an_ask(number))
    for field in ("n", "n|interactive", "t|acme"):
        await shop.store.command("HINCRBY", KEYS.of(POOL)[STATE], field, 2)
    assert isinstance(await desk.book.acquire(an_ask(2)), Waits)
    await desk.book.beat(POOL, [Held(an_ask(number), 0) for number in range(2)], [an_ask(2)])
    assert await desk.held() == {"w1.0", "w1.1", "w1.2"}


async def test_what_is_held_does_not_expire_however_long_nobody_is_there(shop: Shop):
    desk = await shop.desk("w1")
    await desk.book.beat(POOL, [], [])
    assert await shop.store.command("TTL", KEYS.of(POOL)[MEMBERS]) > 0
    await desk.book.acquire(an_ask(0))
    await desk.book.beat(POOL, [Held(an_ask(0), 0)], [])
    for part in (STATE, MEMBERS, LEASES, HELD):
        assert await shop.store.command("TTL", KEYS.of(POOL)[part]) == -1


async def test_who_waits_for_a_cap_goes_on_when_operators_raise_it(shop: Shop):
    desk = await shop.desk("w1")
    await desk.set_tenant("acme", TenantLimits(concurrency=1))
    await desk.book.acquire(an_ask(0))
    assert isinstance(await desk.book.acquire(an_ask(1)), Waits)
    await desk.set_tenant("acme", TenantLimits(concurrency=2))
    await desk.book.beat(POOL, [Held(an_ask(0), 0)], [an_ask(1)])
    assert await desk.held() == {"w1.0", "w1.1"}


async def test_tenants_who_came_once_are_forgotten_though_one_lane_is_never_used(shop: Shop):
    desk = await shop.desk("w1")
    for number in range(60):
        ask = an_ask(number, tenant=f"t{number}", lane=Lane.INTERACTIVE)
        await desk.book.acquire(ask)
        await desk.book.release(ask, ANSWERED)
    await desk.book.beat(POOL, [], [])
    assert await shop.store.command("ZCARD", KEYS.of(POOL)[FINISH]) == 0


async def test_an_unheard_refusal_or_grant_finds_its_listener_again(shop: Shop):
    heard = Heard()
    book = await shop.deaf("w1")
    await book.open(heard)
    await shop.store.command("PUBLISH", KEYS.channel("w1"), f"?{OTHER}")

    async def was_called() -> bool:
        return OTHER in heard.called_for

    await until_so(was_called)
