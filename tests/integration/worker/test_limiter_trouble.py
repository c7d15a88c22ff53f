"""What the limiter keeps when workers and the store die, freeze, forget and come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from fleet_chassis.store import open_store
from fleet_cli.stack.store.store import Store
from fleet_worker.deadline import Deadline
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.store_book import StoreBook
from harness.limiters import CLOCK, POOL, QUICK, LimitedWorker, a_limited_worker, an_answer
from harness.requests import a_request
from harness.store import on_both_products
from harness.waiting import until, until_so

pytestmark = [pytest.mark.sockets, on_both_products]

LIMIT = 4
RULES = replace(QUICK, concurrency=LIMIT, grace_s=3.5)
"""With a grace of more than a beat and two timeouts, in which every worker states what it has."""


class Fleet:
    """Two workers on one store, and who is in flight by their own word."""

    def __init__(self, store: Store, ends: AsyncExitStack) -> None:
        self.store = store
        self._ends = ends
        self.workers: list[LimitedWorker] = []
        self.peak = 0
        self.done = 0

    async def add(self, **changes: object) -> LimitedWorker:
        rules = replace(RULES, **changes)  # type: ignore[arg-type]
        name = f"worker{len(self.workers)}"
        opened = a_limited_worker(self.store.url, name, rules, timeout_s=1.0)
        worker = await self._ends.enter_async_context(opened)
        self.workers.append(worker)
        return worker

    @property
    def running(self) -> int:
        return sum(worker.running for worker in self.workers)

    async def load(self, stop: asyncio.Event, seconds: float = 0.05) -> None:
        async def caller(worker: LimitedWorker) -> None:
            while not stop.is_set():
                await worker.call(seconds)
                self.done += 1

        async def watch() -> None:
            while not stop.is_set():
                self.peak = max(self.peak, self.running)
                await asyncio.sleep(0.002)

        await asyncio.gather(watch(), *(caller(worker) for worker in self.workers for _ in range(4)))

    async def is_empty_in_store(self) -> bool:
        return await self.workers[0].store.command("HGET", Keys("fleet").of(POOL)[4], "n") is None


@pytest.fixture
async def fleet(own_store: Store) -> AsyncIterator[Fleet]:
    await known_for_long(own_store)
    async with AsyncExitStack() as ends:
        made = Fleet(own_store, ends)
        await made.add()
        await made.add()
        yield made


async def known_for_long(store: Store) -> None:
    """As if its first grace were over."""
    async with open_store(store.url, 10, CLOCK) as opened:
        await StoreBook(opened, "fleet", "first", RULES, CLOCK).look(POOL)
        await opened.command("HSET", Keys("fleet").meta, "boot", 1)


async def under_load(fleet: Fleet, trouble: object) -> None:
    stop = asyncio.Event()
    load = asyncio.create_task(fleet.load(stop))
    before = fleet.done
    await until(lambda: fleet.done >= before + 10, deadline_s=30)
    await trouble()  # type: ignore[operator]
    after = fleet.done
    await until(lambda: fleet.done >= after + 50, deadline_s=60)
    stop.set()
    await load
    assert fleet.peak <= LIMIT
    await until_so(fleet.is_empty_in_store)


async def test_two_workers_share_one_limit(fleet: Fleet):
    async def nothing() -> None:
        await asyncio.sleep(0)

    await under_load(fleet, nothing)
    assert fleet.peak == LIMIT


async def test_a_flushed_store_is_told_what_runs_before_it_grants_again(fleet: Fleet):
    await under_load(fleet, fleet.store.flush)


async def test_a_killed_store_that_comes_back_empty_never_lets_more_run(fleet: Fleet):
    async def trouble() -> None:
        await fleet.store.kill()
        await asyncio.sleep(0.3)
        await fleet.store.restart(empty=True)

    await under_load(fleet, trouble)


async def test_a_store_that_freezes_and_goes_on_never_lets_more_run(fleet: Fleet):
    async def trouble() -> None:
        await fleet.store.pause()
        await asyncio.sleep(1.5)
        await fleet.store.resume()

    await under_load(fleet, trouble)


async def test_a_worker_that_is_gone_gives_its_slots_back_in_seconds(fleet: Fleet):
    first, second = fleet.workers
    for _ in range(LIMIT):
        await first.limiter.acquire(a_request(), Deadline(CLOCK.monotonic() + 30))
    waiting = asyncio.create_task(second.call(0.01))
    await dies_like_a_killed_process(first)
    async with asyncio.timeout(30):
        await waiting


async def test_what_the_dead_held_is_taken_back_though_nobody_asks_for_more(fleet: Fleet):
    first, second = fleet.workers
    await first.limiter.acquire(a_request(), Deadline(CLOCK.monotonic() + 30))
    await second.call(0.01)
    await dies_like_a_killed_process(first)
    fleet.workers.remove(first)
    await until_so(fleet.is_empty_in_store)


async def dies_like_a_killed_process(worker: LimitedWorker) -> None:
    """Both its connections end, and it gives nothing back."""
    worker.limiter.desk._pools.clear()  # pyright: ignore[reportPrivateUsage]
    worker.limiter.desk.run = asyncio.Event().wait  # type: ignore[method-assign,assignment]
    await worker.store.aclose()


async def test_a_frozen_worker_keeps_its_slots_for_its_calls_may_still_run(own_store: Store):
    await known_for_long(own_store)
    async with AsyncExitStack() as ends:
        fleet = Fleet(own_store, ends)
        frozen, living = await fleet.add(beat_s=1000.0), await fleet.add()
        for _ in range(LIMIT):
            await frozen.limiter.acquire(a_request(), Deadline(CLOCK.monotonic() + 30))
        # It listens, but says nothing, for longer than its lease.
        frozen.limiter.desk.called = lambda: None  # type: ignore[method-assign]
        waiting = asyncio.create_task(living.call(0.01))
        await asyncio.sleep(RULES.lease_s + 1)
        assert not waiting.done()
        waiting.cancel()


async def test_a_grant_that_nobody_heard_is_heard_with_the_next_beat(fleet: Fleet):
    first, second = fleet.workers
    permits = [
        await first.limiter.acquire(a_request(), Deadline(CLOCK.monotonic() + 30)) for _ in range(LIMIT)
    ]
    lost: list[str] = []
    second.limiter.desk.granted, heard = lost.append, second.limiter.desk.granted  # type: ignore[method-assign]
    waiting = asyncio.create_task(second.call(0.01))
    await until(lambda: bool(second.limiter.desk._pools[POOL].wishes))  # pyright: ignore[reportPrivateUsage]
    permits.pop().release(an_answer())
    await until(lambda: bool(lost) or waiting.done())
    second.limiter.desk.granted = heard  # type: ignore[method-assign]
    async with asyncio.timeout(20):
        await waiting
    for permit in permits:
        permit.release(an_answer())


async def test_while_the_store_is_away_only_the_spare_slots_are_used(own_store: Store):
    await known_for_long(own_store)
    async with AsyncExitStack() as ends:
        fleet = Fleet(own_store, ends)
        workers = [await fleet.add(spare=1) for _ in range(2)]

        async def both_are_known() -> bool:
            return await workers[0].store.command("ZCARD", Keys("fleet").workers) == 2

        await until_so(both_are_known)
        calls = [asyncio.create_task(workers[0].call(3600)) for _ in range(LIMIT)]
        await until(lambda: fleet.running == LIMIT - 2)
        await until(lambda: all(worker.limiter.desk.pool(POOL).spare == 1 for worker in workers))
        await asyncio.sleep(0.3)
        assert fleet.running == LIMIT - 2
        await own_store.kill()
        calls += [asyncio.create_task(worker.call(3600)) for worker in workers for _ in range(3)]
        await until(lambda: fleet.running == LIMIT, deadline_s=30)
        await asyncio.sleep(1)
        assert fleet.running == LIMIT
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_what_operators_set_survives_a_store_that_forgets(fleet: Fleet):
    first = fleet.workers[0]
    keys = Keys("fleet")
    await first.store.command("HSET", keys.config, f"pool|{POOL}|concurrency", 2)
    await first.store.command("HSET", keys.meta, "version", 7)
    await asyncio.gather(*(worker.call(0.01) for worker in fleet.workers))
    await fleet.store.flush()
    await under_load(fleet, fleet.store.flush)
    assert fleet.peak == 2
