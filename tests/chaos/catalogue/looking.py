"""Looks at the queues of a stage."""

import asyncio
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from chaos.catalogue.stage import Stage
from fleet_contracts.topology import REQUESTS

PATIENCE_S = 30.0


def vhost_of(url: str) -> str:
    """The virtual host in a URL."""
    return unquote(urlsplit(url).path[1:])


async def messages_in(stage: Stage, queue: str) -> int:
    """What a queue held some seconds ago, taken messages among them; -1 where there is none."""
    return (await _listed(stage, "messages")).get(queue, -1)


async def every_worker_consumes(stage: Stage) -> None:
    """Complain unless each worker consumes the queue for requests, or does so soon."""
    consumers = -1
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while (consumers := (await _listed(stage, "consumers")).get(REQUESTS, -1)) != stage.entry.workers:  # noqa: ASYNC110
                await asyncio.sleep(1)
    stage.must(consumers == stage.entry.workers, f"every worker consumes again, not {consumers}")


async def _listed(stage: Stage, what: str) -> dict[str, int]:
    vhost = vhost_of(stage.scene.url)
    listing = await stage.scene.broker.ctl("list_queues", "--vhost", vhost, "name", what)
    pairs = (line.split() for line in listing.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
