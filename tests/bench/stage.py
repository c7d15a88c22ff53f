"""What a bench stands on: a real broker and store, a fast upstream and caller, each its own process."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

from bench.processes import Running, module, running
from fleet_chassis.topology import apply
from fleet_contracts.topology import REQUESTS
from harness.broker import SharedBroker

REPLIES = "deepseek.reply.bench.replies"
BASELINES = ("plain", "sdk", "ceiling")


class Upstream:
    """The paced upstream."""

    def __init__(self, process: Running) -> None:
        self.process = process
        self.url = process.said

    async def stats(self) -> dict[str, Any]:
        """What it did since it was last asked."""
        return await self._get("/stats")

    async def end(self) -> None:
        """Let every stream of no given length end."""
        await self._get("/end")

    async def _get(self, path: str) -> dict[str, Any]:
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        await reader.readuntil(b"Content-Length: ")
        length = int(await reader.readuntil(b"\r\n\r\n"))
        document: dict[str, Any] = orjson.loads(await reader.readexactly(length))
        writer.close()
        return document


class Caller:
    """Who asks and reads."""

    def __init__(self, process: Running) -> None:
        self.process = process

    async def do(self, what: str, **command: Any) -> dict[str, Any]:
        """Have it do something; returns what it says."""
        process = self.process.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"do": what, **command}).encode() + b"\n")
        answer: dict[str, Any] = orjson.loads(await process.stdout.readline())
        return answer


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers requests, in a process of its own, and where to ask it."""

    name: str
    worker: Running
    exchange: str
    key: str
    queue: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What all stages stand on."""

    broker: SharedBroker
    broker_pid: int
    redis_url: str
    logs: Path
    seconds: float
    """How long a window is."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A virtual host with an upstream and a caller."""

    broker_pid: int
    amqp_url: str
    redis_url: str
    namespace: str
    upstream: Upstream
    caller: Caller
    logs: Path
    ends: AsyncExitStack

    async def ask(
        self,
        target: Target,
        count: int,
        *,
        rate: int,
        deltas: int = 0,
        period_ms: int = 0,
        stream: bool = False,
    ) -> None:
        """Have the caller ask `target`; `rate` a second, 0 as fast as it can.

        `deltas`: after how many an answer falls silent, 0 never. `period_ms`: between two of them.
        """
        await self.caller.do(
            "ask",
            exchange=target.exchange,
            key=target.key,
            count=count,
            rate=rate,
            deltas=deltas,
            period_ms=period_ms,
            stream=stream,
            word=uuid4().hex[:8],
        )

    async def fleet(self, name: str = "fleet", **settings: str) -> Target:
        """A worker of ours, with every promise on."""
        worker = await self.ends.enter_async_context(self.a_worker(name, **settings))
        return Target(name, worker, REQUESTS, "interactive.bench", REQUESTS)

    @asynccontextmanager
    async def a_worker(self, name: str, **settings: str) -> AsyncGenerator[Running]:
        environ = {**self.environ(), "FLEET_WORKER_NAME": name, **settings}
        command = (str(Path(sys.executable).parent / "fleet"), "worker")
        async with running(name, *command, logs=self.logs, environ=environ) as worker:
            yield worker

    async def baseline(self, name: str) -> Target:
        """One of the baselines."""
        queue = f"bench.{name}"
        command = module(f"bench.baselines.{name}", self.amqp_url, queue, self.upstream.url)
        worker = await self.ends.enter_async_context(running(name, *command, logs=self.logs))
        return Target(name, worker, "", queue, queue)

    def environ(self) -> dict[str, str]:
        """The settings of a worker that carries as many calls as a bench wants."""
        return {
            "AMQP_URL": self.amqp_url,
            "REDIS_URL": self.redis_url,
            "FLEET_NAMESPACE": self.namespace,
            "DEEPSEEK_BASE_URL": self.upstream.url,
            "DEEPSEEK_API_KEY": "sk-bench",
            "FLEET_HEALTH_HOST": "127.0.0.1",
            "FLEET_HEALTH_PORT": "0",
            "FLEET_LOG_LEVEL": "error",
            "FLEET_CONCURRENCY": "3000",
            "FLEET_LIMIT_CONCURRENCY": "3000",
            "FLEET_LIMIT_START": "3000",
            "FLEET_LIMIT_WAITERS": "3000",
        }


@asynccontextmanager
async def a_ground(
    broker: SharedBroker, redis_url: str, logs: Path, seconds: float
) -> AsyncGenerator[Ground]:
    """The broker as the bench needs it."""
    # Asked of the broker itself, for its process may be a container's.
    pid = int((await broker.evaluate("list_to_integer(os:getpid()).")).strip())
    yield Ground(broker, pid, redis_url, logs, seconds)


@asynccontextmanager
async def a_stage(ground: Ground) -> AsyncGenerator[Stage]:
    """Everything but the workers; those that are started on it end with it."""
    name = f"bench-{uuid4().hex[:8]}"
    amqp_url = await ground.broker.add_vhost(name)
    await apply(amqp_url)
    logs = ground.logs
    async with AsyncExitStack() as ends:
        ends.push_async_callback(ground.broker.delete_vhost, name)
        upstream = await ends.enter_async_context(
            running("upstream", *module("bench.load.upstream"), logs=logs)
        )
        caller = await ends.enter_async_context(
            running("caller", *module("bench.load.caller", amqp_url, REPLIES), logs=logs, stdin=True)
        )
        yield Stage(
            ground.broker_pid,
            amqp_url,
            ground.redis_url,
            name,
            Upstream(upstream),
            Caller(caller),
            logs,
            ends,
        )


def private(environ: Mapping[str, str] = os.environ) -> dict[str, str]:  # noqa: TID251 - the bench's own start
    """The environment without addresses of a broker or store: a bench has its own."""
    return {name: value for name, value in environ.items() if not name.startswith(("AMQP_", "REDIS_"))}
