"""Takes no requests while no model can be called: they wait in their queue, in order, instead of in rungs."""

import random
from typing import Protocol

from aio_pika.exceptions import AMQPError

from fleet_chassis.clock import Clock
from fleet_worker.upstream_health.standstill import Standstill

STANDSTILL = "standstill"
"""Why the door takes no requests."""
SPREAD = 0.5
"""Workers open their doors spread over so much of the time for which they were shut."""
PAUSE_S = 1.0


class Shuts(Protocol):
    """A door, as far as it is shut and opened here."""

    async def pause(self, reason: str, *, upstream_only: bool = False) -> None:
        """Take nothing more that needs the upstream. Never raises."""
        ...

    async def resume(self, reason: str) -> None:
        """Take requests again; raises while the broker is away."""
        ...


async def stand_still(door: Shuts, standstill: Standstill, clock: Clock, chance: random.Random) -> None:
    """Shut the door while every model is stopped, and open it when one may be tried; until cancelled."""
    while True:
        left_s = await standstill.begun()
        await door.pause(STANDSTILL, upstream_only=True)
        await clock.sleep(left_s * chance.uniform(1, 1 + SPREAD))
        await _open(door, clock)


async def _open(door: Shuts, clock: Clock) -> None:
    while True:
        try:
            await door.resume(STANDSTILL)
        except (AMQPError, OSError, RuntimeError, TimeoutError):
            await clock.sleep(PAUSE_S)
        else:
            return
