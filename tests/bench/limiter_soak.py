"""As many calls as go, with kills and flushed stores; then nothing may be left behind."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from limiter_report import Figure, progress
from limiter_run import KEYS, NAMESPACE, POOL, play
from prometheus_client import CollectorRegistry

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_worker.limiter import Rules, open_limiter
from fleet_worker.prices import published_prices

LIMIT = 64
HELD, TICKETS = 7, 11
EMPTY_WITHIN_S = 30.0


async def soak(args: Any) -> AsyncIterator[Figure]:
    """Rounds until `--calls` have been made; `--soak-file` remembers them, to go on from there."""
    memory = Path(args.soak_file) if args.soak_file else None
    sums = Counter[str]()
    if memory and memory.exists():
        sums.update(json.loads(memory.read_text()))
    while sums["calls"] < args.calls:
        began = time.monotonic()
        sums.update(await _round(args))
        sums["seconds"] += round(time.monotonic() - began)
        if memory:
            memory.write_text(json.dumps(sums))
        progress(f"soak: {', '.join(f'{name} {count}' for name, count in sorted(sums.items()))}")
    name = f"soak of {sums['calls']:,} calls, {sums['kills']} kills, {sums['flushes']} flushes"
    over = sums["refused"] + sums["above"]
    yield Figure(name, f"calls over the limit of {LIMIT}", str(over), "0", over == 0)
    yield Figure(name, "permits and tickets left behind", str(sums["left"]), "0", sums["left"] == 0)
    yield Figure(name, "seconds", str(sums["seconds"]))


async def _round(args: Any) -> dict[str, int]:
    flush_every = 10
    run = await play(
        args,
        rules={"concurrency": LIMIT, "start": LIMIT},
        provider=LIMIT,
        kill_every=7,
        flush_every=flush_every,
        callers=[{"tenant": f"t{number}", "count": 4} for number in range(6)],
        seconds=(0.001, 0.02),
        for_s=args.round,
    )
    return {
        "calls": run.count("began"),
        "refused": run.count("refused"),
        "above": max(0, run.peak() - LIMIT),
        "kills": len(run.kills),
        "flushes": int(args.round // flush_every),
        "left": await _left_behind(args.redis),
    }


async def _left_behind(redis: str) -> int:
    """What is held or waits once everybody has gone, and somebody looked after the dead."""
    clock, rules, keys = SystemClock(), Rules(concurrency=LIMIT), KEYS.of(POOL)
    ends = clock.monotonic() + EMPTY_WITHIN_S
    async with (
        open_store(redis, 2.0, clock) as store,
        open_limiter(rules, published_prices(), clock, CollectorRegistry(), (store, NAMESPACE)),
    ):
        while True:
            left = await store.command("HLEN", keys[HELD]) + await store.command("HLEN", keys[TICKETS])
            reserved = [name for name in await store.command("HKEYS", KEYS.money) if name.startswith(b"r|")]
            if not (left or reserved) or clock.monotonic() > ends:
                return left + len(reserved)
            await clock.sleep(0.1)
