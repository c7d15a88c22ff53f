"""One run of the limiter's bench: a strict provider, worker processes, and what came of it."""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import RedisStore, open_store
from fleet_worker.limiter import Rules
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.overview import Overview

HERE = Path(__file__).parent
NAMESPACE, MODEL = "bench", "deepseek-flash"
KEYS = Keys(NAMESPACE)
POOL = Rules().pool(MODEL)
STATE = 4
LOOK_S = 0.05
WRITTEN_S = 0.4
"""After this long the provider's log is on disk."""


@dataclass(slots=True)
class Event:
    """A line of the provider's log."""

    at: float
    what: str
    in_flight: int
    tenant: str
    tokens: int


@dataclass
class Outcome:
    """A run: what the provider saw, and what the processes say of their own waiting."""

    events: list[Event]
    reports: list[dict[str, Any]]
    started: float
    ended: float
    kills: list[float] = field(default_factory=list[float])
    taken_back: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """When the store took back how many leases of the dead."""

    def waits(self, tenant: str) -> list[float]:
        """How long the permits of tenants whose names begin so were waited for, sorted."""
        return sorted(
            wait
            for one in self.reports
            for name, waits in one["waits"].items()
            if name.startswith(tenant)
            for wait in waits
        )

    def scripts_a_call(self) -> float:
        """Questions to the store for one call of the upstream."""
        calls = sum(one["calls"] for one in self.reports)
        return sum(one["scripts"] for one in self.reports) / max(1, calls)

    def count(self, what: str) -> int:
        """Lines of the log."""
        return sum(event.what == what for event in self.events)

    def peak(self) -> int:
        """Most calls at once."""
        return max((event.in_flight for event in self.events), default=0)

    def busy_s(self, begins: float, ends: float) -> float:
        """Call seconds between two moments."""
        area, level, at = 0.0, 0, begins
        for event in self.events:
            if event.at > ends:
                break
            if event.at > begins:
                area += level * (event.at - at)
                at = event.at
            level = event.in_flight
        return area + level * (ends - at)

    def used(self, limit: int, begins: float, ends: float) -> float:
        """Mean in flight over the limit."""
        return self.busy_s(begins, ends) / (limit * (ends - begins))

    def first_full(self, limit: int) -> float:
        """When the limit was first reached."""
        return next((event.at for event in self.events if event.in_flight >= limit), self.ended)

    def held_by_the_dead_s(self, ends: float) -> tuple[float, float]:
        """Lease seconds between kills and the moments at which the store took them back; the longest wait."""
        total, longest = 0.0, 0.0
        for number, kill in enumerate(self.kills):
            following = self.kills[number + 1] if number + 1 < len(self.kills) else ends
            for at, leases in self.taken_back:
                if kill <= at < following:
                    total += leases * (at - kill)
                    longest = max(longest, at - kill)
        return total, longest

    def windows(self, window_s: float, *, tokens: bool) -> list[float]:
        """What began in the window before each beginning, that one included."""
        began = [event for event in self.events if event.what == "began"]
        sums, total, first = list[float](), 0, 0
        for event in began:
            total += event.tokens if tokens else 1
            while event.at - began[first].at >= window_s:
                total -= began[first].tokens if tokens else 1
                first += 1
            sums.append(total)
        return sums


async def play(args: Any, **plan: Any) -> Outcome:
    """Run one scenario on an emptied store.

    `plan`: what `limiter_worker.py` reads, and `provider` (its limit), `for_s`, `kill_every`, `flush_every`
    (seconds), `limits_at` (pairs of seconds and a new limit of it), `budget` (acme's dollars a day).
    """
    clock = SystemClock()
    async with open_store(args.redis, 5.0, clock) as store:
        await store.command("FLUSHALL")
        if budget := plan.pop("budget", 0):
            await Overview(store, NAMESPACE, clock).set_tenant("acme", day=budget)
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "provider.log"
            provider = await _start(HERE / "limiter_provider.py", str(log), str(plan.pop("provider", 10**6)))
            assert provider.stdout is not None
            port = int(await provider.stdout.readline())
            try:
                return await _play(args, store, log, port, **plan)
            finally:
                provider.kill()
                await provider.wait()


async def _play(args: Any, store: RedisStore, log: Path, port: int, **plan: Any) -> Outcome:
    seconds, kill_every = plan.pop("for_s", args.seconds), plan.pop("kill_every", 0)
    limits_at, flush_every = plan.pop("limits_at", ()), plan.pop("flush_every", 0)
    processes = plan.setdefault("processes", args.processes)
    told = {"port": port, "redis": args.redis, "limiter": "ours", **plan}
    workers = [await _work({**told, "seed": number}) for number in range(processes)]
    for worker in workers:
        await _ready(worker)
    starts = time.monotonic()
    ends = starts + seconds
    for worker in workers:
        await _go(worker, ends)
    kills, taken_back = list[float](), list[tuple[float, int]]()
    helpers = [asyncio.create_task(_change_limits(port, starts, limits_at))]
    if kill_every:
        helpers.append(asyncio.create_task(_kill_now_and_then(workers, told, kill_every, kills, ends)))
        helpers.append(asyncio.create_task(_watch_the_dead(store, taken_back)))
    if flush_every:
        helpers.append(asyncio.create_task(_flush_now_and_then(store, flush_every)))
    try:
        await asyncio.sleep(seconds)
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        outputs = [await _output(worker) for worker in workers]
        await asyncio.sleep(WRITTEN_S)
    finally:
        for helper in helpers:
            helper.cancel()
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
    lines = (line.split() for line in (await asyncio.to_thread(log.read_text)).splitlines())
    events = [Event(float(at), what, int(n), tenant, int(tokens)) for at, what, n, tenant, tokens in lines]
    reports = [json.loads(output) for output in outputs if output]
    return Outcome(events, reports, starts, ends, kills, taken_back)


async def _start(script: Path, *told: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, script, *told, stdin=pipe, stdout=pipe, limit=2**27
    )


async def _work(told: dict[str, Any]) -> asyncio.subprocess.Process:
    return await _start(HERE / "limiter_worker.py", json.dumps(told))


async def _ready(worker: asyncio.subprocess.Process) -> None:
    assert worker.stdout is not None
    await worker.stdout.readline()


async def _go(worker: asyncio.subprocess.Process, until: float) -> None:
    assert worker.stdin is not None
    worker.stdin.write(f"{until}\n".encode())
    await worker.stdin.drain()


async def _output(worker: asyncio.subprocess.Process) -> bytes:
    output, _ = await asyncio.wait_for(worker.communicate(), 60)
    return output


async def _kill_now_and_then(
    workers: list[asyncio.subprocess.Process],
    told: dict[str, Any],
    every_s: float,
    kills: list[float],
    until: float,
) -> None:
    """Kill one at random and let another take its place at once: it stands ready before."""
    chance, begins = random.Random(1), time.monotonic()
    while True:
        spare = await _work({**told, "seed": 1000 + len(kills)})
        try:
            await _ready(spare)
            await asyncio.sleep(max(0.0, begins + (len(kills) + 1) * every_s - time.monotonic()))
            victim = chance.randrange(len(workers))
            os.kill(workers[victim].pid, signal.SIGKILL)
            kills.append(time.monotonic())
            await workers[victim].wait()
            workers[victim] = spare
            await _go(spare, until)
        except asyncio.CancelledError:
            if spare not in workers:
                spare.kill()
                await spare.wait()
            raise


async def _watch_the_dead(store: RedisStore, taken_back: list[tuple[float, int]]) -> None:
    known = 0
    while True:
        await asyncio.sleep(LOOK_S)
        now = int(await store.command("HGET", KEYS.of(POOL)[STATE], "expired") or 0)
        if now > known:
            taken_back.append((time.monotonic(), now - known))
        known = now


async def _flush_now_and_then(store: RedisStore, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await store.command("FLUSHALL")


async def _change_limits(port: int, starts: float, changes: tuple[tuple[float, int], ...]) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        for after_s, limit in changes:
            await asyncio.sleep(max(0, starts + after_s - time.monotonic()))
            writer.write(b"limit %d\n" % limit)
            await writer.drain()
