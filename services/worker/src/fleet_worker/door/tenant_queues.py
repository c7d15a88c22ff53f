"""The queues of tenants who have their own: taken up and given up while the worker runs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from fleet_chassis.logging import Log
from fleet_contracts.grammar import Lane
from fleet_contracts.topology import tenant_queue
from fleet_worker.door.queues import Consumer, Take
from fleet_worker.door.subscribing import AWAY

AGAIN_S = 5.0
_SHARE = 20


class Opens(Protocol):
    """A door, as far as queues are taken up and given up here."""

    async def add(self, consumer: Consumer) -> None:
        """Consume one more queue; raises where that can't be."""
        ...

    async def remove(self, consumer: Consumer) -> None:
        """Consume a queue no more, once nothing of it is in hand."""
        ...


class TenantQueues:
    """Keeps the door at the queues that operators named.

    Args:
        concurrency: calls this worker carries; each queue may have a small share of them in hand.
        log: hears of queues that can't be consumed.
    """

    def __init__(self, concurrency: int, log: Log) -> None:
        self._prefetch = max(1, concurrency // _SHARE)
        self._log = log
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._consumed: dict[str, list[Consumer]] = {}

    def hear(self, settings: Mapping[str, str]) -> None:
        """Operators changed something: `tenant|<tenant>|queue` is there for each tenant with queues."""
        parts = (name.split("|") for name in settings)
        self._wanted = frozenset(part[1] for part in parts if part[0] == "tenant" and part[-1] == "queue")
        self._changed.set()

    async def run(self, door: Opens, take: Take) -> None:
        """Follow the wishes until cancelled; `take` handles each delivery."""
        async with asyncio.TaskGroup() as leaving:
            while True:
                self._changed.clear()
                complete = await self._follow(door, take, leaving)
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if complete else AGAIN_S):
                        await self._changed.wait()

    async def _follow(self, door: Opens, take: Take, leaving: asyncio.TaskGroup) -> bool:
        complete = True
        for tenant in self._wanted - self._consumed.keys():
            complete &= await self._add(door, take, tenant)
        for tenant in self._consumed.keys() - self._wanted:
            for consumer in self._consumed.pop(tenant):
                # It takes as long as the calls in hand: other tenants must not wait for that.
                leaving.create_task(door.remove(consumer))
        return complete

    async def _add(self, door: Opens, take: Take, tenant: str) -> bool:
        added = self._consumed.setdefault(tenant, [])
        for queue in (tenant_queue(lane, tenant) for lane in Lane):
            consumer = Consumer(queue, self._prefetch, take, calls_upstream=True)
            try:
                await door.add(consumer)
            except AWAY as error:
                self._log.warning("a tenant's queue can't be consumed yet", queue=queue, error=error)
                await self._give_up(door, tenant)
                return False
            added.append(consumer)
        return True

    async def _give_up(self, door: Opens, tenant: str) -> None:
        for consumer in self._consumed.pop(tenant, ()):
            await door.remove(consumer)
