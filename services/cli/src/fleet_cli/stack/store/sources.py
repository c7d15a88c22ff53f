"""The ways to get a store, in the order in which they are tried."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.report import Report
from fleet_cli.stack.sources import Source, first_available
from fleet_cli.stack.store.container import container_store
from fleet_cli.stack.store.given import given_store
from fleet_cli.stack.store.private import installed_store, unpacked_store
from fleet_cli.stack.store.store import Store

NO_STORE = (
    "No store can be had here: set REDIS_URL, start Docker, or install valkey-server or redis-server"
    " (macOS: brew install valkey; Windows: use WSL2 or docker compose). Tried: {tried}."
)


def sources(
    report: Report, environ: Mapping[str, str], cache_dir: Path, *, appendonly: bool
) -> list[Source[Store]]:
    """The ways that this machine and its environment leave; a given URL leaves no other."""
    if url := environ.get("REDIS_URL"):
        return [Source("given by REDIS_URL", lambda: given_store(url))]
    return [
        Source("in a container", lambda: container_store(report, environ, appendonly=appendonly)),
        Source(
            "installed on this machine", lambda: installed_store(environ, cache_dir, appendonly=appendonly)
        ),
        Source(
            "unpacked from the distribution's packages",
            lambda: unpacked_store(report, environ, cache_dir, appendonly=appendonly),
        ),
    ]


@asynccontextmanager
async def local_store(
    report: Report, *, environ: Mapping[str, str], cache_dir: Path, appendonly: bool = True
) -> AsyncGenerator[Store]:
    """A store for this run, found or started, and ended with the run if it is ours.

    `appendonly` lets a store of ours keep what it holds over a restart. Raises UnavailableError with one
    sentence that says what to do when no store can be had, StackError when the given one does not answer.
    """
    ways = sources(report, environ, cache_dir, appendonly=appendonly)
    async with first_available(ways, report, nothing=NO_STORE) as store:
        yield store
