"""What the limiter keeps and costs: real processes, a real store, the provider's log as the truth.

    .venv/bin/python tests/bench/limiter.py [scenario ...] --redis URL [--seconds 30] [--processes 8]

Needs a Redis or Valkey of its own at --redis, which it empties. Prints one line for each scenario.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_worker.limiter import Rules, open_limiter
from fleet_worker.limiter.keys import Keys
from fleet_worker.prices import published_prices

HERE = Path(__file__).parent


@dataclass
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

    def waits(self, tenant: str | None = None) -> list[float]:
        found = [
            wait
            for one in self.reports
            for name, waits in one["waits"].items()
            for wait in waits
            if tenant in {None, name}
        ]
        return sorted(found)

    def scripts_a_call(self) -> float:
        calls = sum(one["calls"] for one in self.reports)
        return sum(one["scripts"] for one in self.reports) / max(1, calls)

    def peak(self) -> int:
        return max((event.in_flight for event in self.events), default=0)

    def used(self, limit: int, begins: float, ends: float) -> float:
        """Mean in flight over the limit."""
        area, level, at = 0.0, 0, begins
        for event in self.events:
            if event.at > ends:
                break
            if event.at > begins:
                area += level * (event.at - at)
                at = event.at
            level = event.in_flight
        return (area + level * (ends - at)) / (limit * (ends - begins))

    def first_full(self, limit: int) -> float:
        return next((event.at for event in self.events if event.in_flight >= limit), self.ended)

    def most_in_window(self, window_s: float, *, tokens: bool) -> float:
        began = [event for event in self.events if event.what == "began"]
        most, total, first = 0.0, 0, 0
        for event in began:
            total += event.tokens if tokens else 1
            while event.at - began[first].at >= window_s:
                total -= began[first].tokens if tokens else 1
                first += 1
            most = max(most, total)
        return most


async def play(args: argparse.Namespace, **plan: Any) -> Outcome:
    """Run one scenario."""
    async with open_store(args.redis, 2.0, SystemClock()) as store:
        await store.command("FLUSHALL")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "provider.log"
        limit = str(plan.pop("provider", 10**6))
        provider = await _start(HERE / "limiter_provider.py", str(log), limit)
        assert provider.stdout is not None
        port = int(await provider.stdout.readline())
        try:
            return await _play(args, log, port, **plan)
        finally:
            provider.kill()
            await provider.wait()


async def _play(args: argparse.Namespace, log: Path, port: int, **plan: Any) -> Outcome:
    seconds, kill_every = plan.pop("for_s", args.seconds), plan.pop("kill_every", 0)
    limits_at = plan.pop("limits_at", ())
    processes = plan.setdefault("processes", args.processes)
    told = {"port": port, "redis": args.redis, "limiter": "ours", **plan}
    workers = [await _work({**told, "seed": number}) for number in range(processes)]
    for worker in workers:
        await _ready(worker)
    starts = time.monotonic()
    for worker in workers:
        await _go(worker, starts + seconds)
    kills: list[float] = []
    helpers = [asyncio.create_task(_change_limits(port, starts, limits_at))]
    if kill_every:
        helpers.append(
            asyncio.create_task(_kill_now_and_then(workers, told, kill_every, kills, starts + seconds))
        )
    try:
        await asyncio.sleep(seconds)
        outputs = [await _output(worker) for worker in workers]
    finally:
        for helper in helpers:
            helper.cancel()
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
    events = [
        Event(float(at), what, int(n), tenant, int(tokens))
        for at, what, n, tenant, tokens in (
            line.split() for line in (await asyncio.to_thread(log.read_text)).splitlines()
        )
    ]
    reports = [json.loads(output) for output in outputs if output]
    return Outcome(events, reports, starts, starts + seconds, kills)


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
    chance = random.Random(1)
    while time.monotonic() < until - 2 * every_s:
        await asyncio.sleep(every_s)
        victim = chance.randrange(len(workers))
        os.kill(workers[victim].pid, signal.SIGKILL)
        kills.append(time.monotonic())
        await workers[victim].wait()
        workers[victim] = await _work({**told, "seed": 1000 + len(kills)})
        await _ready(workers[victim])
        await _go(workers[victim], until)


async def _change_limits(port: int, starts: float, changes: tuple[tuple[float, int], ...]) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    for after_s, limit in changes:
        await asyncio.sleep(max(0, starts + after_s - time.monotonic()))
        writer.write(b"limit %d\n" % limit)
        await writer.drain()


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def say(name: str, **figures: Any) -> None:
    shown = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in figures.items()
    )
    sys.stdout.write(f"{name}: {shown}; load {os.getloadavg()[0]:.1f}\n")
    sys.stdout.flush()


LOAD = {"callers": [{"tenant": "acme", "count": 24}], "seconds": (0.3, 0.5)}


async def concurrency(args: argparse.Namespace) -> None:
    """A strict limit of 64."""
    for limiter in ("ours", "polling", "share"):
        run = await play(args, limiter=limiter, rules={"concurrency": 64, "start": 64}, provider=64, **LOAD)
        refused = sum(event.what == "refused" for event in run.events)
        say(
            f"concurrency {limiter}",
            peak=run.peak(),
            refused=refused,
            used=run.used(64, run.first_full(64), run.ended),
            scripts_a_call=run.scripts_a_call(),
            calls=sum(event.what == "began" for event in run.events),
        )


async def uneven(args: argparse.Namespace) -> None:
    """A heavy tenant and three light ones on a limit of 24: what each gets, how long the light wait."""
    callers = [{"tenant": "heavy", "count": 20}, *({"tenant": f"light{n}", "count": 4} for n in range(3))]
    for limiter in ("ours", "polling", "share"):
        run = await play(
            args, limiter=limiter, rules={"concurrency": 24}, provider=24, callers=callers, seconds=(0.3, 0.5)
        )
        served: dict[str, int] = defaultdict(int)
        for event in run.events:
            served[event.tenant] += event.what == "ended"
        light = sorted(run.waits("light0") + run.waits("light1") + run.waits("light2"))
        say(
            f"uneven {limiter}",
            used=run.used(24, run.first_full(24), run.ended),
            served=dict(served),
            light_p99_s=percentile(light, 0.99),
            scripts_a_call=run.scripts_a_call(),
        )


async def kills(args: argparse.Namespace) -> None:
    """The same with a worker killed every 5 s; what the dead's unexpired leases hold is no use to anybody."""
    run = await play(args, rules={"concurrency": 64, "start": 64}, provider=64, kill_every=5, **LOAD)
    begins = run.first_full(64)
    refused = sum(event.what == "refused" for event in run.events)
    broken = sum(event.what == "broken" for event in run.events)
    calm = [run.used(64, max(begins, kill - 1), kill) for kill in run.kills]
    say(
        "kills",
        peak=run.peak(),
        refused=refused,
        kills=len(run.kills),
        broken_calls=broken,
        used=run.used(64, begins, run.ended),
        used_in_the_second_before_each_kill=sum(calm) / max(1, len(calm)),
    )


async def rates(args: argparse.Namespace) -> None:
    """Requests and tokens in a window of 10 s with a burst of 0.2 s."""
    window = {"concurrency": 500, "start": 500, "window_s": 10.0, "burst_s": 0.2}
    theory = 10 / (10 + 0.2 + 0.1)
    load = {"callers": [{"tenant": "acme", "count": 12, "tokens": 1000}], "seconds": (0.02, 0.05)}
    run = await play(args, rules={**window, "rpm": 1000}, **load)
    admitted = sum(event.what == "began" and event.at < run.ended for event in run.events)
    say(
        "rpm",
        limit=1000,
        most_in_10_s=run.most_in_window(10, tokens=False),
        used_of_theory=admitted / ((run.ended - run.started) / 10 * 1000 * theory),
    )
    load["actual"] = (0.3, 1.0)
    run = await play(args, rules={**window, "tpm": 1_000_000}, **load)
    tokens = sum(event.tokens for event in run.events if event.what == "began" and event.at < run.ended)
    say(
        "tpm",
        limit=1_000_000,
        most_in_10_s=run.most_in_window(10, tokens=True),
        used_of_theory=tokens / ((run.ended - run.started) / 10 * 1_000_000 * theory),
    )


async def hidden(args: argparse.Namespace) -> None:
    """A provider whose limit goes 40, 15, 40 and is told in its refusals alone."""
    step = max(20.0, args.seconds / 3)
    run = await play(
        args,
        rules={"concurrency": 100, "start": 32},
        provider=40,
        for_s=3 * step + 10,
        callers=[{"tenant": "acme", "count": 16}],
        seconds=(0.35, 0.45),
        limits_at=((step, 15), (2 * step, 40)),
    )
    starts = run.started
    refused = [event.at - starts for event in run.events if event.what == "refused"]
    calls = sum(event.what in {"began", "refused"} for event in run.events)
    back = next(
        (
            event.at - starts - 2 * step
            for event in run.events
            if event.at > starts + 2 * step and event.in_flight >= 40
        ),
        float("inf"),
    )
    say(
        "hidden",
        calls=calls,
        refused_share=len(refused) / calls,
        peak=run.peak(),
        used_40=run.used(40, run.first_full(40), starts + step),
        used_15=run.used(15, starts + step + 1, starts + 2 * step),
        back_after_s=back,
        used_40_again=run.used(40, starts + 2 * step + min(back, 15), run.ended),
    )


async def fairness(args: argparse.Namespace) -> None:
    """60 tenants of equal weight and unequal appetite, one of them light."""
    callers = [{"tenant": f"t{n}", "count": 1 + (n % 3), "tokens": 100 * (1 + n % 4)} for n in range(59)] + [
        {"tenant": "light", "count": 1, "tokens": 100, "pause_s": 1.0}
    ]
    run = await play(args, rules={"concurrency": 100, "start": 100}, callers=callers, seconds=(0.3, 0.5))
    tokens: dict[str, int] = defaultdict(int)
    begins = run.first_full(100) + 2
    for event in run.events:
        if event.what == "began" and event.tenant != "light" and begins < event.at < run.ended:
            tokens[event.tenant] += event.tokens
    shares = list(tokens.values())
    jain = sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
    idle = await play(args, rules={"concurrency": 100}, callers=callers[-1:], seconds=(0.3, 0.5), for_s=15)
    say(
        "fairness",
        tenants=len(shares),
        jain=jain,
        used=run.used(100, begins, run.ended),
        light_p99_s=percentile(run.waits("light"), 0.99),
        light_idle_p99_s=percentile(idle.waits("light"), 0.99),
        heavy_p99_s=percentile(run.waits("t2"), 0.99),
        scripts_a_call=run.scripts_a_call(),
    )


async def soak(args: argparse.Namespace) -> None:
    """Short calls, as many as go, with kills and flushed stores; then nothing may be left behind."""
    flushing = asyncio.create_task(_flush_now_and_then(args.redis, 10))
    try:
        run = await play(
            args,
            rules={"concurrency": 64, "start": 64},
            provider=64,
            kill_every=7,
            callers=[{"tenant": f"t{number}", "count": 4} for number in range(6)],
            seconds=(0.005, 0.05),
        )
    finally:
        flushing.cancel()
    left, after_s = await _left_behind(args.redis)
    refused = sum(event.what == "refused" for event in run.events)
    began = sum(event.what == "began" for event in run.events)
    say(
        "soak",
        calls=began,
        peak=run.peak(),
        refused=refused,
        kills=len(run.kills),
        permits_left=left,
        empty_after_s=after_s,
    )


async def _flush_now_and_then(redis: str, every_s: float) -> None:
    async with open_store(redis, 2.0, SystemClock()) as store:
        while True:
            await asyncio.sleep(every_s)
            await store.command("FLUSHALL")


async def _left_behind(redis: str) -> tuple[int, float]:
    """How many permits are held once everybody has gone, and how long it took to notice the dead."""
    clock, rules = SystemClock(), Rules(concurrency=64)
    keys, began = Keys("bench").of(rules.pool("deepseek-flash")), clock.monotonic()
    async with (
        open_store(redis, 2.0, clock) as store,
        open_limiter(rules, published_prices(), clock, CollectorRegistry(), (store, "bench")),
    ):
        while (left := await store.command("HLEN", keys[7])) and clock.monotonic() < began + 30:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return left, clock.monotonic() - began


async def uncontended(args: argparse.Namespace) -> None:
    """One caller alone: what a permit costs."""
    load = {"callers": [{"tenant": "acme", "count": 1, "pause_s": 0.005}], "seconds": (0.001, 0.002)}
    run = await play(args, processes=1, rules={"concurrency": 64}, for_s=15, **load)
    waits = run.waits()
    say(
        "uncontended",
        p50_ms=1000 * percentile(waits, 0.5),
        p99_ms=1000 * percentile(waits, 0.99),
        scripts_a_call=run.scripts_a_call(),
        calls=len(waits),
    )
    idle = await play(
        args, processes=1, rules={"concurrency": 64}, for_s=20, callers=[], seconds=(1, 1), idle_s=20
    )
    say("idle", scripts_in_20_s=sum(one["scripts"] for one in idle.reports))


SCENARIOS = {
    one.__name__: one for one in (concurrency, uneven, kills, rates, hidden, fairness, uncontended, soak)
}


async def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS))
    parser.add_argument("--redis", required=True)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--processes", type=int, default=8)
    args = parser.parse_args()
    for name in args.scenarios:
        await SCENARIOS[name](args)


if __name__ == "__main__":
    asyncio.run(main())
