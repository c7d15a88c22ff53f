"""What a delta costs a worker, from the upstream's bytes to the broker's confirm. Prints; asserts nothing.

Broker, simulator and worker are real processes; the cost is the worker's processor time as the operating
system counts it, which says nearly the same on a busy machine as on a quiet one.

Run: `PYTHONPATH=tests:tests/bench .venv/bin/python tests/bench/chunk_path.py`
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import httpx
import orjson
from chunk_reader import Read, reading

from fleet_chassis.topology import apply
from fleet_cli.stack.child import Child
from fleet_cli.stack.processes import WORKER_READY
from fleet_contracts.topology import REQUESTS
from fleet_simulator.answers import expected_text
from fleet_simulator.config import Lengths
from fleet_simulator.tokens import split
from harness.broker import SharedBroker, shared_broker
from harness.collector import a_collector
from harness.processes import a_fleet
from harness.waiting import until

RATE = 20
WARM_S = 1.5
START_S = 30.0
PLAIN, WIRE, WATCHED = "public API", "wire", "watched wire"
SCRAPE_S = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One run."""

    deltas: float
    chunks: int
    cpu_s: float
    seconds: float
    heard: int

    @property
    def us_a_delta(self) -> float:
        return self.cpu_s / max(1.0, self.deltas) * 1e6

    @property
    def us_a_chunk(self) -> float:
        return self.cpu_s / max(1, self.chunks) * 1e6

    def line(self, name: str) -> str:
        return (
            f"  {name:<12} {self.us_a_delta:6.1f} us CPU a delta   "
            f"{self.deltas / self.seconds:8.0f} deltas/s   "
            f"{self.deltas / max(1, self.chunks):5.2f} deltas a chunk   "
            f"{self.cpu_s / self.seconds:4.0%} of a core   {self.heard} streams heard"
        )


def ticks_s(pid: int) -> float:
    """Processor time of a process and its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def body_of(number: int) -> dict[str, Any]:
    return {
        "model": "deepseek-flash",
        "stream": True,
        "max_tokens": 100_000,
        "thinking": {"type": "disabled"},
        "messages": [{"role": "user", "content": f"What is stream number {number} good for?"}],
    }


def characters_a_delta(tokens: int) -> float:
    text = "".join(expected_text(body_of(number), _lengths(tokens))[1] for number in range(8))
    return len(text) / len(split(text))


def _lengths(tokens: int) -> Lengths:
    return Lengths(reasoning=(1, 1), content=(tokens, tokens))


@asynccontextmanager
async def a_simulator(tokens: int) -> AsyncGenerator[str]:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_simulator", "--headers-delay", "0", "--first-token-delay", "0"),
        *("--tokens-per-second", str(RATE)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    try:
        url = (await server.stdout.readline()).decode().strip()
        await _post(url, "/_simulator/config", {"lengths": {"reasoning": [1, 1], "content": [tokens] * 2}})
        yield url
    finally:
        server.kill()
        await server.wait()


async def _post(url: str, path: str, document: object) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    data = orjson.dumps(document)
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    await reader.read()
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def watched(worker: Child) -> AsyncGenerator[None]:
    """Ask the worker for its metrics again and again, as Prometheus does, only more often."""
    page = f"{(await worker.wait_for_line(WORKER_READY, deadline_s=START_S)).group(1)}/metrics"

    async def scrape() -> None:
        async with httpx.AsyncClient() as http:
            while True:
                (await http.get(page)).raise_for_status()
                await asyncio.sleep(SCRAPE_S)

    task = asyncio.create_task(scrape())
    try:
        yield
    finally:
        assert not task.done(), "the worker's metrics could not be had"
        task.cancel()


async def measure(broker: SharedBroker, plan: argparse.Namespace, streams: int, way: str) -> Cost:
    url = await broker.add_vhost(f"bench-{uuid4().hex[:8]}")
    await apply(url)
    # Long enough that no stream ends inside the window, however late the last one starts.
    tokens = int(RATE * (START_S + WARM_S + plan.seconds))
    settings = {
        "FLEET_SHARE_NOTHING": "true",
        "FLEET_CONCURRENCY": str(streams + 10),
        "FLEET_LIMIT_CONCURRENCY": str(streams + 10),
        "FLEET_LIMIT_START": str(streams + 10),
        "FLEET_LIMIT_WAITERS": str(streams + 10),
        "FLEET_LOG_LEVEL": "error",
        "FLEET_PLAIN_PUBLISH": str(way == PLAIN).lower(),
    }
    with tempfile.TemporaryDirectory() as logs:
        async with (
            a_collector() as collector,
            a_simulator(tokens) as base_url,
            a_fleet(url, base_url, Path(logs), **settings) as fleet,
            reading(url, "deepseek.reply.bench.chunks") as (read, channel),
            AsyncExitStack() as looking,
        ):
            traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} if way == WATCHED else {}
            worker = await fleet.start_worker(**traces)
            if way == WATCHED:
                await looking.enter_async_context(watched(worker))
            exchange = await channel.get_exchange(REQUESTS, ensure=False)
            for number in range(streams):
                await exchange.publish(_request(number), "interactive.bench")
            # A way that can't carry so many streams gives some of them up: then the last line says so.
            with suppress(TimeoutError):
                await until(lambda: read.accepted >= streams, deadline_s=START_S)
            await asyncio.sleep(WARM_S)
            cost = await _window(read, worker.pid, plan.seconds, characters_a_delta(tokens))
            if plan.profile and way == WIRE:
                await _profiled(worker.pid, plan.profile)
            await looking.aclose()
            await worker.kill()
    await broker.delete_vhost(urlsplit(url).path.strip("/"))
    return cost


async def _window(read: Read, pid: int, seconds: float, characters: float) -> Cost:
    loop = asyncio.get_running_loop()
    read.heard.clear()
    before, cpu_before, began = (read.characters, read.chunks), ticks_s(pid), loop.time()
    await asyncio.sleep(seconds)
    cpu_s, took = ticks_s(pid) - cpu_before, loop.time() - began
    assert not read.ended, "an answer ended inside the window"
    return Cost(
        (read.characters - before[0]) / characters, read.chunks - before[1], cpu_s, took, len(read.heard)
    )


async def _profiled(pid: int, command: str) -> None:
    process = await asyncio.create_subprocess_shell(command.replace("PID", str(pid)))
    await process.wait()


def _request(number: int) -> aio_pika.Message:
    return aio_pika.Message(
        orjson.dumps(body_of(number)),
        correlation_id=f"bench-{number}",
        message_id=uuid4().hex,
        reply_to="deepseek.reply.bench.chunks",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def _middle(costs: list[Cost]) -> Cost:
    return sorted(costs, key=lambda cost: cost.us_a_delta)[len(costs) // 2]


async def compare(broker: SharedBroker, plan: argparse.Namespace, streams: int) -> None:
    # In turns, for no machine is ever equally busy for long.
    ways = [WIRE, WATCHED] if plan.telemetry else [WIRE] if plan.wire_only else [WIRE, PLAIN]
    runs: dict[str, list[Cost]] = {way: [] for way in ways}
    for _ in range(plan.runs):
        for way in ways:
            runs[way].append(await measure(broker, plan, streams, way))
    middle = {way: _middle(costs) for way, costs in runs.items()}
    title = f"{streams} streams x {RATE} deltas/s"
    if PLAIN in middle:
        ratios = [
            plain.us_a_delta / wire.us_a_delta for wire, plain in zip(runs[WIRE], runs[PLAIN], strict=True)
        ]
        print(f"{title}: the wire takes 1/{statistics.median(ratios):.1f} of the public API's CPU a delta")  # noqa: T201
    elif WATCHED in middle:
        # By chunk: how many deltas join in one is the broker's doing, and changes from run to run.
        ratios = [on.us_a_chunk / off.us_a_chunk for off, on in zip(runs[WIRE], runs[WATCHED], strict=True)]
        change = statistics.median(ratios) - 1
        print(f"{title}: traces and a scrape a second change the CPU a chunk by {change:+.1%}")  # noqa: T201
    else:
        print(title)  # noqa: T201
    for way, cost in middle.items():
        print(cost.line(way), flush=True)  # noqa: T201


def _plan() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a delta costs a worker.")
    parser.add_argument("--streams", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measured window")
    parser.add_argument("--runs", type=int, default=3, help="of each way; the middle one is shown")
    parser.add_argument("--telemetry", action="store_true", help="with traces and scrapes, against without")
    parser.add_argument("--wire-only", action="store_true", help="leave out the public API")
    parser.add_argument(
        "--profile", default="", help="shell command run beside each wire run; PID is the worker"
    )
    return parser.parse_args()


async def main() -> None:
    plan = _plan()
    private = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    with shared_broker(private) as broker:
        for streams in plan.streams:
            await compare(broker, plan, streams)


if __name__ == "__main__":
    asyncio.run(main())
