"""One run of the limiter's bench: a strict provider, worker processes, and what came of it."""

import asyncio
import json
import tempfile
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from limiter_outcome import Event, Outcome
from limiter_processes import Process, go, output, ready, start, work
from limiter_troubles import Killer, change_limits, flush_now_and_then, watch_the_dead

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import RedisStore, open_store
from fleet_worker.limiter import Rules
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.overview import Overview

NAMESPACE, MODEL = "bench", "deepseek-flash"
KEYS = Keys(NAMESPACE)
POOL = Rules().pool(MODEL)
WRITTEN_S = 0.4
"""After this long the provider's log is on disk."""


async def play(args: Any, **plan: Any) -> Outcome:
    """Run one scenario on an emptied store.

    `plan`: what `limiter_worker.py` reads, and `provider` (its limit), `for_s`, `kill_every`, `flush_every`
    (seconds), `prepared` (of those who follow the killed, so many stand ready before), `limits_at` (pairs of
    seconds and a new limit of it), `budget` (acme's dollars a day).
    """
    clock = SystemClock()
    async with open_store(args.redis, 5.0, clock) as store:
        await store.command("FLUSHALL")
        if budget := plan.pop("budget", 0):
            await Overview(store, NAMESPACE, clock).set_tenant("acme", day=budget)
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "provider.log"
            provider = await start("limiter_provider.py", str(log), str(plan.pop("provider", 10**6)))
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
    prepared = plan.pop("prepared", 0)
    processes = plan.setdefault("processes", args.processes)
    told = {"port": port, "redis": args.redis, "limiter": "ours", **plan}
    killer = Killer(told, kill_every, prepared)
    workers = [await work({**told, "seed": number}) for number in range(processes)]
    taken_back = list[tuple[float, int]]()
    try:
        await killer.prepare()
        for worker in workers:
            await ready(worker)
        starts = time.monotonic()
        ends = starts + seconds
        for worker in workers:
            await go(worker, ends)
        troubles = [change_limits(port, starts, limits_at)]
        if kill_every:
            troubles += [
                killer.run(workers, ends),
                watch_the_dead(store, KEYS.part(POOL, "state"), taken_back),
            ]
        if flush_every:
            troubles.append(flush_now_and_then(store, flush_every))
        await _among(troubles, seconds)
        outputs = [await output(worker) for worker in workers]
        await asyncio.sleep(WRITTEN_S)
    finally:
        killer.end()
        _end(workers)
    lines = (line.split() for line in (await asyncio.to_thread(log.read_text)).splitlines())
    events = [Event(float(at), what, int(n), tenant, int(tokens)) for at, what, n, tenant, tokens in lines]
    reports = [json.loads(told) for told in outputs if told]
    return Outcome(events, reports, starts, ends, killer.kills, taken_back)


async def _among(troubles: Sequence[Coroutine[Any, Any, None]], seconds: float) -> None:
    """Let things happen for so long."""
    tasks = [asyncio.create_task(trouble) for trouble in troubles]
    try:
        await asyncio.sleep(seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _end(workers: list[Process]) -> None:
    for worker in workers:
        if worker.returncode is None:
            worker.kill()
