"""The workers of a run: each reaches broker and store through proxies of its own."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from fleet_cli.stack.child import Child
from fleet_cli.stack.errors import StackError
from harness.processes import Fleet
from harness.proxy import Proxy, a_proxy_before

TRIES = 60
PAUSE_S = 0.5


@dataclass(eq=False)
class Member:
    """A worker, and what lies between it and the rest."""

    child: Child
    broker: Proxy
    store: Proxy
    ends: AsyncExitStack
    troubled: bool = False
    """Whether something is done to it now that must be undone."""


@dataclass
class Crew:
    """Workers that run. Whoever is killed is replaced."""

    fleet: Fleet
    url: str
    store_url: str
    odd: dict[str, str] = field(default_factory=dict[str, str])
    """What the next workers do amiss: variables of `failing_worker.py` without `CHAOS_`."""
    members: list[Member] = field(default_factory=list[Member])
    spared: Member | None = None
    """Who is never killed, if anybody."""

    async def start(self, **settings: str) -> Member:
        """Start one worker, again and again while broker or store is away, as Kubernetes would."""
        for _ in range(TRIES):
            try:
                member = await self._started(settings)
            except StackError:
                await asyncio.sleep(PAUSE_S)
            else:
                self.members.append(member)
                return member
        raise StackError(f"no worker could be started in {TRIES} tries: look into {self.fleet.logs}")

    async def kill(self, chance: random.Random) -> str:
        """Kill -9 a random worker; its name, or nothing where none may be. Nobody is started in its place."""
        mortal = [member for member in self.members if member is not self.spared]
        if not mortal:
            return ""
        member = chance.choice(mortal)
        await self.lose(member)
        return member.child.name

    async def lose(self, member: Member, *, grace_s: float = 0) -> int:
        """End one worker with SIGTERM and this grace, or at once; its exit status."""
        self.members.remove(member)
        status = await (member.child.stop(grace_s=grace_s) if grace_s else member.child.kill())
        await member.ends.aclose()
        return status

    async def replace_the_dead(self) -> None:
        """Start a worker in the place of each that has died, until cancelled."""
        while True:
            for member in [each for each in self.members if not each.child.running]:
                await self.lose(member)
                await self.start()
            await asyncio.sleep(PAUSE_S)

    def untroubled(self, chance: random.Random) -> Member | None:
        """A random worker to which nothing is done now, where there is one."""
        free = [member for member in self.members if not member.troubled]
        return chance.choice(free) if free else None

    async def aclose(self) -> None:
        """Take the proxies away."""
        for member in self.members:
            await member.ends.aclose()

    async def _started(self, settings: Mapping[str, str]) -> Member:
        async with AsyncExitStack() as ends:
            broker = await ends.enter_async_context(a_proxy_before(self.url))
            store = await ends.enter_async_context(a_proxy_before(self.store_url))
            urls = {"AMQP_URL": broker.before(self.url), "REDIS_URL": store.before(self.store_url)}
            start = partial(self.fleet.start_odd_worker, self.odd) if self.odd else self.fleet.start_worker
            child = await start(**urls, **settings)
            return Member(child, broker, store, ends.pop_all())


@asynccontextmanager
async def a_crew(
    fleet: Fleet, url: str, store_url: str, size: int, odd: Mapping[str, str] | None = None
) -> AsyncGenerator[Crew]:
    """So many workers of `fleet`, started at once, with what is `odd` about them."""
    crew = Crew(fleet, url, store_url, dict(odd or {}))
    try:
        await asyncio.gather(*(crew.start() for _ in range(size)))
        yield crew
    finally:
        await crew.aclose()
