"""The workers of a run: each reaches broker and store through proxies of its own."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

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
    members: list[Member] = field(default_factory=list[Member])

    async def start(self) -> None:
        """Start one worker, again and again while broker or store is away, as Kubernetes would."""
        for _ in range(TRIES):
            try:
                self.members.append(await self._started())
            except StackError:
                await asyncio.sleep(PAUSE_S)
            else:
                return
        raise StackError(f"no worker could be started in {TRIES} tries: look into {self.fleet.logs}")

    async def kill(self, chance: random.Random) -> str:
        """Kill -9 a random worker; its name. Nobody is started in its place yet."""
        member = chance.choice(self.members)
        self.members.remove(member)
        await member.child.kill()
        await member.ends.aclose()
        return member.child.name

    def untroubled(self, chance: random.Random) -> Member | None:
        """A random worker to which nothing is done now, where there is one."""
        free = [member for member in self.members if not member.troubled]
        return chance.choice(free) if free else None

    async def aclose(self) -> None:
        """Take the proxies away."""
        for member in self.members:
            await member.ends.aclose()

    async def _started(self) -> Member:
        async with AsyncExitStack() as ends:
            broker = await ends.enter_async_context(a_proxy_before(self.url))
            store = await ends.enter_async_context(a_proxy_before(self.store_url))
            child = await self.fleet.start_worker(
                AMQP_URL=broker.before(self.url), REDIS_URL=store.before(self.store_url)
            )
            return Member(child, broker, store, ends.pop_all())


@asynccontextmanager
async def a_crew(fleet: Fleet, url: str, store_url: str, size: int) -> AsyncGenerator[Crew]:
    """So many workers of `fleet`, started at once."""
    crew = Crew(fleet, url, store_url)
    try:
        for _ in range(size):
            await crew.start()
        yield crew
    finally:
        await crew.aclose()
