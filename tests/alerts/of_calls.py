"""Faults of DeepSeek, of limits and money, and of callers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from alerts.asker import FULL
from alerts.stage import Stage, quietly

BAD = 12
LATE_S = 61
LONG: dict[str, Any] = {"max_tokens": 60, "messages": [{"role": "user", "content": "A tale of some length"}]}
FLEET = ("exec", "--no-TTY", "worker", "fleet")


@asynccontextmanager
async def _misbehaving(
    stage: Stage, fault: dict[str, Any], every_s: float, **asked: Any
) -> AsyncGenerator[None]:
    await stage.inject(**fault)
    async with stage.asking(every_s, **asked):
        yield
    await stage.heal()


def upstream_down(stage: Stage) -> AbstractAsyncContextManager[None]:
    """DeepSeek answers 503, always."""
    return _misbehaving(stage, {"kind": "status", "status": 503}, 0.1)


def upstream_shaky(stage: Stage) -> AbstractAsyncContextManager[None]:
    """DeepSeek answers 503 to four calls in ten."""
    return _misbehaving(stage, {"kind": "status", "status": 503, "probability": 0.42, "seed": 3}, 0.1)


def upstream_throttles(stage: Stage) -> AbstractAsyncContextManager[None]:
    """DeepSeek answers 429 to one call in five: somebody else uses the account."""
    return _misbehaving(stage, {"kind": "status", "status": 429, "probability": 0.2, "seed": 5}, 0.2)


def text_late(stage: Stage) -> AbstractAsyncContextManager[None]:
    """DeepSeek lets calls wait for a minute before their first text."""
    return _misbehaving(
        stage,
        {"kind": "slow_first_token", "seconds": LATE_S, "match": {"prompt": "patience"}},
        1.0,
        messages=[{"role": "user", "content": "patience"}],
    )


def streams_broken(stage: Stage) -> AbstractAsyncContextManager[None]:
    """Connections to DeepSeek are reset in the middle of every other answer."""
    return _misbehaving(
        stage,
        {"kind": "reset", "after_chunks": 10, "probability": 0.3, "seed": 9, "match": {"prompt": "tale"}},
        0.8,
        **LONG,
    )


@asynccontextmanager
async def account_low(stage: Stage) -> AsyncGenerator[None]:
    """Three dollars are left."""
    await stage.configure(balances={"default": "20"})
    yield
    await stage.configure(balances={"default": "1000000"})


@asynccontextmanager
async def account_empty(stage: Stage) -> AsyncGenerator[None]:
    """Nothing is left."""
    await stage.configure(balances={"default": "0"})
    yield
    await stage.configure(balances={"default": "1000000"})
    await asyncio.sleep(5)


@asynccontextmanager
async def budget_spent(stage: Stage) -> AsyncGenerator[None]:
    """A tenant may spend a thousandth of a cent a day, and asks on."""
    await stage.fleet.compose(*FLEET, "tenant", "set", "thrifty", "--day", "0.00001")
    async with stage.asking(0.5, tenant="thrifty"):
        yield
    await stage.fleet.compose(*FLEET, "tenant", "clear", "thrifty")


@asynccontextmanager
async def spends_more(stage: Stage) -> AsyncGenerator[None]:
    """Far more is asked than the day before."""
    async with stage.asking(0.1, max_tokens=400, messages=LONG["messages"]):
        yield


@asynccontextmanager
async def limit_tight(stage: Stage) -> AsyncGenerator[None]:
    """One call at once, and many who ask."""
    await stage.inject(kind="pace", tokens_per_second=5, match={"prompt": "tale"})
    await stage.fleet.compose(*FLEET, "limits", "set", "deepseek-flash", "--concurrency", "1")
    async with stage.asking(1.0, **LONG):
        yield
    await stage.fleet.compose(*FLEET, "limits", "set", "deepseek-flash", "--concurrency", "0")
    await stage.heal()


@asynccontextmanager
async def bad_messages(stage: Stage) -> AsyncGenerator[None]:
    """A caller sends what is no request."""
    for _ in range(BAD):
        await stage.asker.ask(b"no JSON", "acme")
        await asyncio.sleep(0.3)
    yield


@asynccontextmanager
async def slow_readers(stage: Stage) -> AsyncGenerator[None]:
    """A caller whose reply queue takes one message and is never read."""
    await stage.asker.declare(FULL, {"x-max-length": 1, "x-overflow": "reject-publish"})
    async with stage.asking(1.0, reply_to=FULL, **LONG):
        yield
    await quietly(stage, "exec", "--no-TTY", "rabbitmq", "rabbitmqctl", "delete_queue", FULL)
