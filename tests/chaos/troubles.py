"""What breaks during a run, and when."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fleet_cli.stack.errors import StackError
from harness.processes import Fleet

Break = Callable[[], Awaitable[None]]


@dataclass
class Troubles:
    """Breaks things on time, and remembers what it broke."""

    told: list[str] = field(default_factory=list[str])

    async def at(self, after_s: float, name: str, break_it: Break) -> None:
        """Break one thing once, `after_s` seconds from now."""
        await asyncio.sleep(after_s)
        await break_it()
        self.told.append(name)

    async def every(self, seconds: float, name: str, break_it: Break) -> None:
        """Break something every `seconds`, however long breaking takes, until cancelled."""
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            due = max(due + seconds, now())
            await self.at(due - now(), name, break_it)


def kill_a_worker(fleet: Fleet, chance: random.Random) -> Break:
    """Kill -9 a random worker that runs, and start another in its place."""

    async def kill() -> None:
        running = [worker for worker in fleet.workers if worker.running]
        if running:
            await chance.choice(running).kill()
        await start_again(fleet)

    return kill


async def start_again(fleet: Fleet, tries: int = 20) -> None:
    """Start one worker, again and again while the broker or the store is away, as Kubernetes would."""
    for _ in range(tries):
        try:
            await fleet.start_worker()
        except StackError:
            await asyncio.sleep(0.5)
        else:
            return
    raise StackError(f"no worker could be started in {tries} tries: look into {fleet.logs}")
