"""Joins the parts of a limiter."""

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.tasks import stop
from fleet_worker.limiter.estimating import Estimator
from fleet_worker.limiter.limiter import FleetLimiter
from fleet_worker.limiter.memory_book import MemoryBook
from fleet_worker.limiter.observing import MOST_TENANTS, LimiterObserver
from fleet_worker.limiter.operators import HearSettings
from fleet_worker.limiter.rules import START, Rules
from fleet_worker.limiter.store_book import Store, StoreBook
from fleet_worker.limiter.terms import Book
from fleet_worker.prices import PriceLists


@asynccontextmanager
async def open_limiter(
    rules: Rules,
    prices: PriceLists,
    clock: Clock,
    registry: CollectorRegistry,
    shared: tuple[Store, str] | None = None,
    hear: HearSettings = lambda _settings: None,
    most_tenants: int = MOST_TENANTS,
) -> AsyncGenerator[FleetLimiter]:
    """A worker's limiter, kept up to date while the block runs.

    Args:
        rules: limits and times.
        prices: what calls cost.
        clock: the time.
        registry: gets the metrics.
        shared: the fleet's store and the prefix of its keys; where None, permits are this process's own.
        hear: is told what operators set in the store, whenever it changed.
        most_tenants: so many tenants have a label of their own in the metrics.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    worker = secrets.token_hex(6)
    book = MemoryBook(rules, clock) if shared is None else StoreBook(*shared, worker, rules, clock, hear)
    limiter = FleetLimiter(
        book=book,
        worker=worker,
        rules=rules,
        estimator=Estimator(prices, clock),
        clock=clock,
        observer=LimiterObserver(registry, get_log("limiter"), most_tenants),
        chance=random.Random(),
    )
    async with running(limiter, book):
        yield limiter


@asynccontextmanager
async def running(limiter: FleetLimiter, book: Book) -> AsyncGenerator[None]:
    """Listen and beat while the block runs; raises as `open_limiter` does."""
    await book.open(limiter.desk)
    await limiter.desk.beat()
    beating = asyncio.create_task(limiter.desk.run())
    try:
        yield
    finally:
        await stop(beating)
        await limiter.desk.aclose()


def in_memory(
    concurrency: int | None, prices: PriceLists, clock: Clock, observer: LimiterObserver
) -> FleetLimiter:
    """The limiter of a process that shares nothing and needs no time to pass: for tests of what uses it."""
    rules = Rules(concurrency=concurrency, start=concurrency or START)
    book = MemoryBook(rules, clock)
    limiter = FleetLimiter(
        book=book,
        worker="memory",
        rules=rules,
        estimator=Estimator(prices, clock),
        clock=clock,
        observer=observer,
        chance=random.Random(0),
    )
    book.bind(limiter.desk)
    return limiter
