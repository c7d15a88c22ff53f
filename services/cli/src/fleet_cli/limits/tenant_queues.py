"""A tenant's own queues: taken up while the fleet runs, and given up without losing a request."""

import asyncio
from collections.abc import Mapping

from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelNotFoundEntity

from fleet_chassis.clock import Clock
from fleet_chassis.topology import apply
from fleet_cli.connecting import connected
from fleet_cli.console import say
from fleet_cli.limits.opening import opened
from fleet_cli.limits.setting import checked
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.stack_env import broker_url
from fleet_contracts.topology import Topology, tenant_topology

LOOK_S = 0.5


async def add_queues(environ: Mapping[str, str], clock: Clock, tenant: str) -> None:
    """Declare a tenant's queues, then have every worker consume them."""
    parts = tenant_topology(checked(tenant, everybody=False))
    async with opened(environ, clock) as overview:
        await apply(broker_url(environ), parts)
        await overview.set_tenant(tenant, queue=1)
    say(f"{tenant} has queues of its own: {', '.join(queue.name for queue in parts.queues)}")


async def remove_queues(environ: Mapping[str, str], clock: Clock, tenant: str, within_s: float) -> None:
    """Send a tenant's requests to the lanes' queues again; drain its own and delete them.

    Raises:
        StackError: they were not empty and free in time: nothing is lost, and it may be asked again.
    """
    parts = tenant_topology(checked(tenant, everybody=False))
    url = broker_url(environ)
    async with opened(environ, clock) as overview, await connected(url, "fleet tenant") as link:
        await _unbind(link, parts)
        try:
            async with asyncio.timeout(within_s):
                await _drained(link, parts, clock)
                # A worker leaves a queue when it holds nothing of it: one without consumers is all free.
                await overview.set_tenant(tenant, queue=None)
                await _left(link, parts, clock)
            await _delete(link, parts)
        except (TimeoutError, _NotEmptyError):
            await overview.set_tenant(tenant, queue=1)
            raise StackError(
                f"the queues of {tenant} are not empty yet: nothing new gets there, and they are served on; "
                "ask again later, or give more time with --within"
            ) from None
    say(f"{tenant} has no queues of its own any more")


class _NotEmptyError(Exception):
    """A worker gave something back at the last moment."""


async def _unbind(link: AbstractConnection, parts: Topology) -> None:
    channel = await link.channel()
    for binding in parts.bindings:
        queue = await channel.get_queue(binding.destination, ensure=False)
        await queue.unbind(binding.exchange, binding.key)
    await channel.close()


async def _drained(link: AbstractConnection, parts: Topology, clock: Clock) -> None:
    while (await _counts(link, parts))[0]:
        await clock.sleep(LOOK_S)


async def _left(link: AbstractConnection, parts: Topology, clock: Clock) -> None:
    while (await _counts(link, parts))[1]:
        await clock.sleep(LOOK_S)


async def _delete(link: AbstractConnection, parts: Topology) -> None:
    if (await _counts(link, parts))[0]:
        raise _NotEmptyError
    channel = await link.channel()
    for queue in parts.queues:
        await channel.queue_delete(queue.name)
    await channel.close()


async def _counts(link: AbstractConnection, parts: Topology) -> tuple[int, int]:
    """How many requests wait in the queues, and how many consumers they have."""
    waiting = consumers = 0
    for queue in parts.queues:
        channel = await link.channel()
        try:
            found = await channel.declare_queue(queue.name, passive=True)
        except ChannelNotFoundEntity:
            continue  # deleted by an earlier try
        waiting += found.declaration_result.message_count or 0
        consumers += found.declaration_result.consumer_count or 0
        await channel.close()
    return waiting, consumers
