"""What happens to a run of the limiter's bench: kills, stores that forget, limits that move."""

import asyncio
import os
import random
import signal
import time
from collections import deque
from contextlib import suppress
from typing import Any

from limiter_processes import Process, go, ready, work

from fleet_chassis.store import RedisStore

LOOK_S = 0.05


class Killer:
    """Kills a worker at random now and then, and lets another take its place at once: it stands ready before.

    Args:
        told: what each worker is told.
        every_s: between two kills.
        prepared: so many of those who follow are started before the run, so that their start, a second of a
            core, takes nothing from what is measured; the others while it runs.
    """

    def __init__(self, told: dict[str, Any], every_s: float, prepared: int) -> None:
        self._told = told
        self._every_s = every_s
        self._prepared = prepared
        self._spares: deque[Process] = deque()
        self._numbers = iter(range(1000, 10_000))
        self.kills: list[float] = []

    async def prepare(self) -> None:
        """Have the first ones stand ready."""
        for _ in range(self._prepared):
            self._spares.append(await self._start())
        for spare in self._spares:
            await ready(spare)

    async def run(self, workers: list[Process], until: float) -> None:
        """Kill until cancelled; `workers` holds those who live."""
        chance, begins = random.Random(1), time.monotonic()
        while True:
            if not self._spares:
                self._spares.append(await self._start())
                await ready(self._spares[0])
            await asyncio.sleep(max(0.0, begins + (len(self.kills) + 1) * self._every_s - time.monotonic()))
            victim = chance.randrange(len(workers))
            os.kill(workers[victim].pid, signal.SIGKILL)
            self.kills.append(time.monotonic())
            await workers[victim].wait()
            workers[victim] = self._spares.popleft()
            await go(workers[victim], until)

    def end(self) -> None:
        """End those who were not needed."""
        for spare in self._spares:
            spare.kill()

    async def _start(self) -> Process:
        return await work({**self._told, "seed": next(self._numbers)})


async def watch_the_dead(store: RedisStore, state: str, taken_back: list[tuple[float, int]]) -> None:
    """Note when the store takes back how many leases of the dead; `state`: its key of the pool."""
    known = 0
    while True:
        await asyncio.sleep(LOOK_S)
        now = int(await store.command("HGET", state, "expired") or 0)
        if now > known:
            taken_back.append((time.monotonic(), now - known))
        known = now


async def flush_now_and_then(store: RedisStore, every_s: float) -> None:
    """Empty the store, again and again."""
    while True:
        await asyncio.sleep(every_s)
        await store.command("FLUSHALL")


async def change_limits(port: int, starts: float, changes: tuple[tuple[float, int], ...]) -> None:
    """Move the provider's limit: pairs of seconds after `starts`, and what it is then."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        for after_s, limit in changes:
            await asyncio.sleep(max(0, starts + after_s - time.monotonic()))
            writer.write(b"limit %d\n" % limit)
            await writer.drain()
