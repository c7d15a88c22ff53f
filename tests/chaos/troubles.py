"""How each trouble is made, and undone."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chaos.crew import Crew, Member
from chaos.events import Event, EventLog
from chaos.plan import Due, Trouble
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.store.store import Store

BLACKHOLE_S = 10.0
STOP_S = 8.0
FAR_S = 10.0
DELAY_S = 0.2


@dataclass
class Troubles:
    """Breaks things when they are due, and remembers what it broke.

    What is broken already is not broken again at the same time: such a trouble is left out.
    """

    broker: Broker
    store: Store
    crew: Crew
    chance: random.Random
    log: EventLog
    told: list[str] = field(default_factory=list[str])
    _busy: set[str] = field(default_factory=set[str])

    async def make(self, due: Iterable[Due]) -> None:
        """Make each trouble at its time; returns when all is mended."""
        async with asyncio.TaskGroup() as making:
            for at_s, trouble in due:
                making.create_task(self._later(at_s, trouble))

    async def make_one(self, trouble: Trouble) -> None:
        """Make one trouble now; returns when it is mended."""
        await self._later(0, trouble)

    async def _later(self, at_s: float, trouble: Trouble) -> None:
        await asyncio.sleep(at_s)
        if await self._ways()[trouble]():
            self.told.append(trouble)

    def _ways(self) -> dict[Trouble, Callable[[], Awaitable[bool]]]:
        return {
            Trouble.KILL: self._kill_a_worker,
            Trouble.BROKER_RESTART: self._restart_the_broker,
            Trouble.STORE_RESTART: self._restart_the_store,
            Trouble.RESET: self._reset_all,
            Trouble.BLACKHOLE: self._cut_off_from_the_broker,
            Trouble.DELAY: self._take_far_away,
            Trouble.STORE_RESET: self._reset_a_store_connection,
            Trouble.STORE_BLACKHOLE: self._cut_off_from_the_store,
            Trouble.STOP: self._let_stand_still,
        }

    async def _kill_a_worker(self) -> bool:
        async with self._alone_with("workers") as mine:
            killed = await self.crew.kill(self.chance) if mine else ""
            if killed:
                self._note("killed", killed)
                await self.crew.start()
            return bool(killed)

    async def _restart_the_broker(self) -> bool:
        async with self._alone_with("broker") as mine:
            if mine:
                self._note("broker", "stopped")
                await self.broker.restart()
                self._note("broker", "started")
            return mine

    async def _restart_the_store(self) -> bool:
        async with self._alone_with("store") as mine:
            if mine:
                self._note("store", "killed")
                await self.store.kill()
                await self.store.restart()
                self._note("store", "started")
            return mine

    async def _reset_all(self) -> bool:
        self._note("reset", "all")
        for member in self.crew.members:
            member.broker.reset()
        return True

    async def _reset_a_store_connection(self) -> bool:
        async with self._somebody() as member:
            if member is not None:
                member.store.reset()
            return member is not None

    async def _cut_off_from_the_broker(self) -> bool:
        async with self._somebody() as member:
            if member is not None:
                self._note("cut off from the broker", member.child.name)
                member.broker.blackhole()
                await asyncio.sleep(BLACKHOLE_S)
                await self._heal(member)
            return member is not None

    async def _take_far_away(self) -> bool:
        async with self._somebody() as member:
            if member is not None:
                member.broker.delay(DELAY_S)
                await asyncio.sleep(FAR_S)
                await self._heal(member)
            return member is not None

    async def _cut_off_from_the_store(self) -> bool:
        async with self._somebody() as member:
            if member is not None:
                self._note("cut off from the store", member.child.name)
                member.store.blackhole()
                await asyncio.sleep(BLACKHOLE_S)
                await self._heal(member)
            return member is not None

    async def _let_stand_still(self) -> bool:
        async with self._somebody() as member:
            if member is not None:
                self._note("stands still", member.child.name)
                member.child.signal(signal.SIGSTOP)
                await asyncio.sleep(STOP_S)
                member.child.signal(signal.SIGCONT)
            return member is not None

    async def _heal(self, member: Member) -> None:
        # One that was killed meanwhile has no proxies any more.
        if member in self.crew.members:
            await member.broker.heal()
            await member.store.heal()

    @asynccontextmanager
    async def _somebody(self) -> AsyncGenerator[Member | None]:
        member = self.crew.untroubled(self.chance)
        if member is None:
            yield None
            return
        member.troubled = True
        try:
            yield member
        finally:
            member.troubled = False

    @asynccontextmanager
    async def _alone_with(self, what: str) -> AsyncGenerator[bool]:
        if what in self._busy:
            yield False
            return
        self._busy.add(what)
        try:
            yield True
        finally:
            self._busy.discard(what)

    def _note(self, kind: str, who: str) -> None:
        self.log.write(Event(time.time(), kind, "", {"who": who}))  # noqa: TID251 - logs of several are put together
