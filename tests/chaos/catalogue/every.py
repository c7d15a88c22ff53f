"""Every entry of the catalogue, by number."""

from types import ModuleType

from chaos.catalogue import (
    answers,
    broker,
    client,
    cluster,
    machine,
    names,
    network,
    queues,
    reader,
    store,
    upstream,
    worker,
)
from chaos.catalogue.entry import Entry

FAMILIES = (
    worker,
    broker,
    queues,
    cluster,
    network,
    names,
    store,
    upstream,
    answers,
    client,
    reader,
    machine,
)


def _entries(family: ModuleType) -> list[Entry]:
    return [value for value in vars(family).values() if isinstance(value, Entry)]


ENTRIES: tuple[Entry, ...] = tuple(
    sorted((entry for family in FAMILIES for entry in _entries(family)), key=lambda entry: entry.number)
)
