"""Finds consumers that look alive and bring nothing, and begins them anew.

Client libraries have such states: a channel that was opened again without its consumer, a consumer that the
broker cancelled, a recovery that gave up (https://github.com/mosquito/aio-pika/issues/588 and
https://github.com/ag2ai/faststream/issues/2758 are two). So it is not asked what the library believes, but
what comes: where messages wait, there is room for one, and none comes from one look to the next, the consumer
is dead.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_worker.door.queues import Consumer
from fleet_worker.door.subscribing import AWAY

EVERY_S = 15.0
LOOK_TIMEOUT_S = 10.0
PATIENCE_S = 180.0
"""How long a worker tries to help itself before it asks to be restarted."""


class Consumes(Protocol):
    """A door, as far as it is watched."""

    def consumers(self) -> list[Consumer]:
        """Those that should consume now."""
        ...

    def taken(self, one: Consumer) -> int:
        """How many deliveries came so far."""
        ...

    def has_room(self, one: Consumer) -> bool:
        """Whether the broker may hand over another one."""
        ...

    async def is_known(self, one: Consumer) -> bool:
        """Whether the channel knows its consumer; raises while there is no channel."""
        ...

    async def ready_in(self, queue: str) -> int:
        """How many messages wait; raises while the broker is away."""
        ...

    async def begin_anew(self, one: Consumer) -> None:
        """Leave its consumer and begin another; raises while the broker is away."""
        ...


class Told(Protocol):
    """Who hears of it."""

    def consumer_revived(self, queue: str, why: str) -> None:
        """A consumer brought nothing, and was begun anew."""
        ...


class Watchdog:
    """Looks at each consumer now and then.

    Args:
        door: what is watched.
        reach: makes a fresh connection to the broker; raises where that is away.
        told: who hears of revived consumers.
        clock: the time.
        every_s: seconds between two looks.
    """

    def __init__(
        self,
        door: Consumes,
        reach: Callable[[], Awaitable[None]],
        told: Told,
        clock: Clock,
        every_s: float = EVERY_S,
    ) -> None:
        self._door = door
        self._reach = reach
        self._told = told
        self._clock = clock
        self._every_s = every_s
        self._seen: dict[Consumer, int] = {}
        """How much had come to those that were suspicious at the last look."""
        self._stuck_since: float | None = None

    def why_dead(self) -> str | None:
        """Why only a restart can help, or None: never while the broker itself is away."""
        if self._stuck_since is None or self._clock.monotonic() - self._stuck_since < PATIENCE_S:
            return None
        return "The broker answers, and this worker's connection to it does not: restart the worker."

    async def run(self) -> None:
        """Watch until cancelled. A dead consumer is one that nobody tells of, so this has to ask."""
        while True:
            await self._clock.sleep(self._every_s)
            await self.look()

    async def look(self) -> None:
        """Look once at each consumer."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                for one in self._door.consumers():
                    await self._look_at(one)
        except AWAY:
            await self._suspect()
        else:
            self._stuck_since = None

    async def _look_at(self, one: Consumer) -> None:
        known = await self._door.is_known(one)
        waits = known and self._door.has_room(one) and await self._door.ready_in(one.queue) > 0
        if known and not waits:
            self._seen.pop(one, None)
            return
        taken = self._door.taken(one)
        if self._seen.get(one) != taken:
            # Once is chance: it may be under way.
            self._seen[one] = taken
            return
        del self._seen[one]
        self._told.consumer_revived(one.queue, "silent" if known else "gone")
        await self._door.begin_anew(one)

    async def _suspect(self) -> None:
        try:
            await self._reach()
        except AWAY:
            self._stuck_since = None
        else:
            if self._stuck_since is None:
                self._stuck_since = self._clock.monotonic()
