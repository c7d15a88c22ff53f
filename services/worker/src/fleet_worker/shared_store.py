"""The store that workers share, and whether it answers: who depends on it is told when that changes."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Gauge

from fleet_chassis.clock import Clock
from fleet_chassis.logging import Log
from fleet_chassis.store import RedisStore, Script, StoreScriptError, StoreUnavailableError

T = TypeVar("T")
Hear = Callable[[bytes], None]

CHECK_S = 5.0
"""Between two looks while all is well, so that an idle worker knows of trouble too."""
RETRY_S = 0.5
"""Between two looks at a store that is away: nobody else tells when it is back."""
MEMORY_S = 3600.0
"""How long after a restart of the store its records are not taken for complete."""


_PROVE = Script("return redis.call('SET', KEYS[1], '1', 'EX', 60)")


def up_gauge(registry: CollectorRegistry) -> Gauge:
    """Whether the store is there, for operators."""
    return Gauge("fleet_store_up", "1 while the shared store answers", registry=registry)


class SharedStore:
    """Passes everything on to the store, raises what it raises, and watches whether it answers."""

    def __init__(
        self, store: RedisStore, namespace: str, clock: Clock, registry: CollectorRegistry, log: Log
    ) -> None:
        self._store = store
        self._probe = f"{namespace}:probe"
        self._clock = clock
        self._log = log
        self._failed_at = -math.inf
        self._doubt = asyncio.Event()
        self._here = asyncio.Event()
        self._away = asyncio.Event()
        self._up = up_gauge(registry)
        self._up.set(1)
        self._here.set()

    @property
    def is_away(self) -> bool:
        """Whether it did not answer last."""
        return self._away.is_set()

    @property
    def troubled_at(self) -> float:
        """When it last failed or was seen to be another one, in monotonic seconds; -inf if never."""
        return max(self._failed_at, self._store.changed_at)

    @property
    def run_id(self) -> bytes | None:
        """Which run of the server answered last."""
        return self._store.run_id

    @property
    def forgets(self) -> bool:
        """Whether it was restarted lately, and may have lost records."""
        return self._clock.monotonic() - self._store.changed_at < MEMORY_S

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script as one atomic step."""
        return await self._watched(self._store.run(script, keys, args))

    async def command(self, *command: Any) -> Any:
        """Run one command."""
        return await self._watched(self._store.command(*command))

    async def listen(self, channel: str, hear: Hear) -> None:
        """Have each message on `channel` handed to `hear`."""
        await self._watched(self._store.listen(channel, hear))

    async def check(self) -> None:
        """Ask for proof that a script can write to it; raises as `run` does."""
        # A full store, or a replica after a failover, answers reads and is of no use.
        await self._store.run(_PROVE, [self._probe], [])

    async def back(self) -> None:
        """Return when it answers."""
        await self._here.wait()

    async def away(self) -> None:
        """Return when it does not answer."""
        await self._away.wait()

    async def watch(self) -> None:
        """Look at it whenever an answer failed, and now and then; runs until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S if self.is_away else CHECK_S):
                    await self._doubt.wait()
            self._doubt.clear()
            await self._look()

    async def _watched(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except StoreUnavailableError:
            self._failed_at = self._clock.monotonic()
            if not self.is_away:
                self._doubt.set()
            raise

    async def _look(self) -> None:
        try:
            await self.check()
        except (StoreUnavailableError, StoreScriptError) as error:
            self._failed_at = self._clock.monotonic()
            self._note_away(error)
        else:
            self._note_here()

    def _note_away(self, error: Exception) -> None:
        if not self.is_away:
            self._log.error("the store is away: no request is taken until it is back", error=error)
            self._up.set(0)
            self._here.clear()
            self._away.set()

    def _note_here(self) -> None:
        if self.is_away:
            self._log.info("the store is back")
            self._up.set(1)
            self._away.clear()
            self._here.set()
