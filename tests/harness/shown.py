"""What a worker's `/metrics` shows, and waiting until it shows it."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families

from harness.house import House
from harness.waiting import PAUSE_S

PATIENCE_S = 20.0

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def shown(house: House) -> Samples:
    """Every sample of the worker's page."""
    async with httpx.AsyncClient() as http:
        page = (await http.get(f"{house.worker.health_url}/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """One sample; 0 where it is not shown."""
    return samples.get((name, frozenset(labels.items())), 0.0)


async def until_shown(house: House, name: str, wanted: float, **labels: str) -> Samples:
    """The page once it shows so much: what is counted after a reply has left, the reply does not promise."""
    async with asyncio.timeout(PATIENCE_S):
        while value(page := await shown(house), name, **labels) != wanted:  # noqa: ASYNC110 - a page can only be read
            await asyncio.sleep(PAUSE_S)
    return page
