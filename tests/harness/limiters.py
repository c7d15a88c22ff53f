"""Limiters to test: the same rules on a store and in memory, and workers made of them."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import RedisStore, open_store
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import Lane
from fleet_worker.completion import Completion, CompletionError, UpstreamAnswer
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import FleetLimiter, Rules
from fleet_worker.limiter.building import running
from fleet_worker.limiter.estimating import Estimator
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.memory_book import MemoryBook
from fleet_worker.limiter.observing import LimiterObserver
from fleet_worker.limiter.rules import TenantLimits
from fleet_worker.limiter.store_book import StoreBook
from fleet_worker.limiter.terms import Ask, Book
from fleet_worker.prices import published_prices
from harness.requests import a_request, a_response
from harness.waiting import until_so

POOL = "default/deepseek-flash"
QUICK = Rules(concurrency=4, start=10_000, reserve=0.25, lease_s=3, beat_s=0.2, grace_s=0.8, jitter_s=0)
"""Limits and times for tests."""
CLOCK = SystemClock()
PATIENCE_S = 10.0


@dataclass
class Heard:
    """A listener that remembers."""

    grants: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])
    calls: int = 0
    called_for: set[str] = field(default_factory=set[str])

    def granted(self, ask_id: str) -> None:
        self.grants.append(ask_id)

    def refused(self, ask_id: str) -> None:
        self.refusals.append(ask_id)

    def called(self, pool: str = "") -> None:
        self.calls += 1
        self.called_for.add(pool)


def an_ask(
    number: int, tenant: str = "acme", lane: Lane = Lane.INTERACTIVE, tokens: int = 100, **more: Any
) -> Ask:
    worker = more.pop("worker", "w1")
    return Ask(f"{worker}.{number}", more.pop("pool", POOL), tenant, lane, tokens, **more)


class MemoryDesk:
    """A book in memory with what tests need to look into it."""

    def __init__(self, rules: Rules) -> None:
        self.book = MemoryBook(rules, CLOCK)
        self.heard = Heard()

    async def open(self) -> None:
        await self.book.open(self.heard)

    async def held(self) -> set[str]:
        pool = self.book._pools.get(POOL)  # pyright: ignore[reportPrivateUsage]
        return set(pool.held) if pool else set()

    async def set_tenant(self, tenant: str, limits: TenantLimits) -> None:
        self.book.tenants[tenant] = limits

    async def set_pool(self, **limits: int) -> None:
        known = self.book.pools.get(POOL) or self.book._limits(POOL)  # pyright: ignore[reportPrivateUsage]
        self.book.pools[POOL] = replace(known, **limits)

    async def spent(self, tenant: str) -> int:
        purse = self.book._purse(tenant)  # pyright: ignore[reportPrivateUsage]
        return max(purse.spent.values(), default=0)


class StoreDesk:
    """A book in a store with what tests need to look into it."""

    def __init__(self, store: RedisStore, rules: Rules, worker: str = "w1") -> None:
        self.store = store
        self.keys = Keys("fleet")
        self.book = StoreBook(store, "fleet", worker, rules, CLOCK)
        self.heard = Heard()

    async def open(self) -> None:
        await self.book.open(self.heard)
        # So that a store that has just been started is past its grace.
        await until_so(self._is_past_grace)

    async def _is_past_grace(self) -> bool:
        return not (await self.book.beat(POOL, [], [])).quiet_ms

    async def held(self) -> set[str]:
        return {name.decode() for name in await self.store.command("HKEYS", self.keys.of(POOL)[7])}

    async def set_tenant(self, tenant: str, limits: TenantLimits) -> None:
        names = ("weight", "concurrency", "rpm", "tpm", "day", "month")
        pairs = [(f"tenant|{tenant}|{name}", getattr(limits, name)) for name in names]
        await self._set([item for pair in pairs if pair[1] is not None for item in pair])

    async def set_pool(self, **limits: int) -> None:
        await self._set([item for name, value in limits.items() for item in (f"pool|{POOL}|{name}", value)])

    async def spent(self, tenant: str) -> int:
        found = await self.store.command("HGETALL", self.keys.money)
        return max(
            (
                int(value)
                for name, value in found.items()
                if name[:1] != b"r" and name.endswith(tenant.encode())
            ),
            default=0,
        )

    async def _set(self, pairs: list[Any]) -> None:
        await self.store.command("HSET", self.keys.config, *pairs)
        await self.store.command("HINCRBY", self.keys.meta, "version", 1)


@asynccontextmanager
async def a_desk(kind: str, url: str, rules: Rules = QUICK) -> AsyncGenerator[MemoryDesk | StoreDesk]:
    """A book of the kind `memory` or `store`, empty."""
    if kind == "memory":
        desk = MemoryDesk(rules)
        await desk.open()
        yield desk
        return
    async with open_store(url, PATIENCE_S, CLOCK) as store:
        await store.command("FLUSHDB")
        shared = StoreDesk(store, rules)
        await shared.open()
        yield shared


@dataclass
class LimitedWorker:
    """A worker's limiter on a store, with calls that take as long as they are told."""

    limiter: FleetLimiter
    book: Book
    store: RedisStore
    running: int = 0

    async def call(self, seconds: float, error: CompletionError | None = None, **request: Any) -> None:
        asked = a_request(**request)
        permit = await self.limiter.acquire(asked, Deadline(CLOCK.monotonic() + 30))
        self.running += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.running -= 1
            permit.release(error or an_answer())


def an_answer(prompt: int = 5, output: int = 9) -> Completion:
    response = a_response()
    response["usage"] = {"prompt_tokens": prompt, "completion_tokens": output}
    return Completion(response, None, 1, 1)


def too_many(limit: int | None, retry_after_s: float | None = None) -> CompletionError:
    named = (
        f"Your current concurrency is {limit + 1}, which exceeds your concurrency limit of {limit}"
        if limit
        else ""
    )
    upstream = UpstreamAnswer(429, "rate_limit_error", f"Too many requests. {named}")
    return CompletionError(ErrorCode.RATE_LIMITED, "refused", True, retry_after_s, upstream)  # noqa: FBT003


def a_limiter_observer() -> LimiterObserver:
    return LimiterObserver(CollectorRegistry(), structlog.get_logger())


def a_limiter(book: Book, worker: str, rules: Rules) -> FleetLimiter:
    estimator = Estimator(published_prices(), CLOCK)
    return FleetLimiter(
        book=book,
        worker=worker,
        rules=rules,
        estimator=estimator,
        clock=CLOCK,
        observer=a_limiter_observer(),
        chance=random.Random(1),
    )


@asynccontextmanager
async def a_limited_worker(
    url: str, name: str, rules: Rules = QUICK, timeout_s: float = PATIENCE_S
) -> AsyncGenerator[LimitedWorker]:
    """A worker's part of the limiter, on a store that is away for it after `timeout_s` seconds' silence."""
    async with open_store(url, timeout_s, CLOCK) as store:
        book = StoreBook(store, "fleet", name, rules, CLOCK)
        limiter = a_limiter(book, name, rules)
        async with running(limiter, book):
            yield LimitedWorker(limiter, book, store)
