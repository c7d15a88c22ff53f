"""A tenant with 20 000 waiting requests, and how long another one's first token takes.

With a queue of its own for the first tenant and without. Real broker, simulator and worker processes.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import orjson
from chunk_path import a_simulator
from limiter_report import Figure, percentile, progress

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_chassis.topology import apply
from fleet_contracts.topology import REQUESTS
from harness.broker import SharedBroker, shared_broker
from harness.caller import Caller, a_caller
from harness.processes import a_fleet

WAITING, LIMIT, WORKERS = 20_000, 20, 2
TOKENS = 20
"""At 20 a second, an answer takes a second."""
LIGHT, EVERY_S = 20, 0.5
PATIENCE_S = 90.0
PUBLISHED_AT_ONCE = 500


async def own_queue(args: Any) -> AsyncIterator[Figure]:
    """First tokens of a light tenant on an idle fleet, beside a deep queue, and behind it in the same one."""
    private = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    with shared_broker(private) as broker:
        async with _fleet(broker, args.redis) as (url, light):
            idle = [await _first_token(light, number) for number in range(LIGHT)]
            await _fleet_command(url, args.redis, "tenant", "add", "heavy")
            await _publish_backlog(url)
            beside = await _first_tokens(light)
            waiting = await _depth(url, f"{REQUESTS}.interactive.heavy")
        async with _fleet(broker, args.redis) as (url, light):
            await _publish_backlog(url)
            behind = await _first_token(light, 0)
    name = f"a tenant with {WAITING:,} waiting requests, limit of {LIMIT}, {WORKERS} workers"
    alone, most = percentile(sorted(idle), 0.5), max(beside)
    yield Figure(name, "another tenant's first token on an idle fleet, p50", f"{alone:.2f} s")
    yield Figure(
        name,
        f"how much later with the backlog in a queue of its own, p50; at most of {LIGHT}",
        f"{percentile(sorted(beside), 0.5) - alone:.2f} s; {most - alone:.2f} s",
        "< 1 s",
        most - alone < 1,
    )
    yield Figure(name, "of these still waiting at the end", f"{waiting:,}")
    later = f"{behind - alone:.1f} s" if behind < PATIENCE_S else f"more than {PATIENCE_S:.0f} s"
    yield Figure(name, "how much later in the same queue", later)


@asynccontextmanager
async def _fleet(broker: SharedBroker, redis: str) -> AsyncGenerator[tuple[str, Caller]]:
    async with open_store(redis, 5.0, SystemClock()) as store:
        await store.command("FLUSHALL")
    url = await broker.add_vhost(f"bench-{uuid4().hex[:8]}")
    await apply(url)
    settings = {
        "REDIS_URL": redis,
        "FLEET_LIMIT_CONCURRENCY": str(LIMIT),
        "FLEET_LIMIT_START": str(LIMIT),
        "FLEET_LOG_LEVEL": "error",
    }
    with tempfile.TemporaryDirectory() as logs:
        async with (
            a_simulator(TOKENS) as base_url,
            a_fleet(url, base_url, Path(logs), **settings) as fleet,
            a_caller(url, "light") as light,
        ):
            for _ in range(WORKERS):
                await fleet.start_worker()
            yield url, light
            for worker in fleet.workers:
                await worker.kill()
    await broker.delete_vhost(urlsplit(url).path.strip("/"))


async def _publish_backlog(url: str) -> None:
    began = time.monotonic()
    body = orjson.dumps({**_body(0), "stream": False})
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(REQUESTS)
        for first in range(0, WAITING, PUBLISHED_AT_ONCE):
            await asyncio.gather(
                *(
                    exchange.publish(
                        aio_pika.Message(body, correlation_id=f"b-{first + number}", message_id=uuid4().hex),
                        "interactive.heavy",
                    )
                    for number in range(PUBLISHED_AT_ONCE)
                )
            )
    progress(f"own_queue: published {WAITING} in {time.monotonic() - began:.0f} s")


async def _first_tokens(light: Caller) -> list[float]:
    found = list[float]()
    for number in range(LIGHT):
        found.append(await _first_token(light, number))
        await asyncio.sleep(EVERY_S)
    return found


async def _first_token(light: Caller, number: int) -> float:
    asked = time.monotonic()
    mine = await light.ask(_body(number), key="interactive.light")
    heard = PATIENCE_S
    try:
        while True:
            reply = await light.next(PATIENCE_S)
            if reply["correlation_id"] != mine:
                continue
            if reply["kind"] == "chunk":
                heard = min(heard, time.monotonic() - asked)
            if reply["kind"] in {"result", "failure"}:
                return heard
    except TimeoutError:
        return heard


async def _depth(url: str, queue: str) -> int:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def _fleet_command(amqp_url: str, redis_url: str, *arguments: str) -> None:
    environ = {**os.environ, "AMQP_URL": amqp_url, "REDIS_URL": redis_url}  # noqa: TID251 - for its PATH
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fleet_cli", *arguments, env=environ, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0, arguments


def _body(number: int) -> dict[str, Any]:
    return {
        "model": "deepseek-flash",
        "stream": True,
        "thinking": {"type": "disabled"},
        "messages": [{"role": "user", "content": f"What is stream number {number} good for?"}],
    }
