"""Real stores for tests: one for a whole run, or one of a test's own, Redis or Valkey."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from fleet_cli.stack.errors import UnavailableError
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.sources import Source, first_available
from fleet_cli.stack.store.asking import ask
from fleet_cli.stack.store.installation import installed
from fleet_cli.stack.store.private import private_store, unpacked_store
from fleet_cli.stack.store.sources import local_store, sources
from fleet_cli.stack.store.store import Store
from harness.valkey import unpacked_valkey

REDIS, VALKEY = "redis", "valkey"
PRODUCTS = (REDIS, VALKEY)
CHOICE = "FLEET_TEST_STORE"
"""The variable that says on which product a run's tests stand; without it, on whichever is had first."""

on_both_products = pytest.mark.parametrize("product", PRODUCTS)
"""Marks a test, or all of a file, that is to run on Redis and on Valkey, whatever the run's choice."""

DATABASES = 16
IN_A_CONTAINER = "in a container"


class SharedStore:
    """A store that lives on a loop of its own; each call is carried there and awaited here."""

    def __init__(self, store: Store, portal: BlockingPortal) -> None:
        self.url = store.url
        self.label = store.label
        self.version = store.version
        self._store = store
        self._portal = portal
        self._numbers = count()

    async def fresh_database(self) -> str:
        """The URL of an empty database; the sixteenth next test gets the same one, emptied again."""
        url = f"{self.url.rpartition('/')[0]}/{next(self._numbers) % DATABASES}"
        await ask(url, "FLUSHDB")
        return url

    async def kill(self) -> None:
        await self._there(self._store.kill)

    async def restart(self, *, empty: bool = False) -> None:
        await self._there(lambda: self._store.restart(empty=empty))

    async def pause(self) -> None:
        await self._there(self._store.pause)

    async def resume(self) -> None:
        await self._there(self._store.resume)

    async def flush(self) -> None:
        await self._there(self._store.flush)

    async def _there(self, call: Callable[[], Awaitable[None]]) -> None:
        await asyncio.wrap_future(self._portal.start_task_soon(call))


class Stores:
    """The run's stores, one for each product, started when a test first asks."""

    def __init__(self, environ: Mapping[str, str], portal: BlockingPortal, ends: ExitStack) -> None:
        self._environ = environ
        self._portal = portal
        self._ends = ends
        self._running: dict[str, SharedStore] = {}

    def of(self, product: str) -> SharedStore:
        """The run's store of this product; skips the test where there is no Valkey to be had."""
        if product not in self._running:
            with skipping_without(product):
                opened = a_store(self._environ, product, appendonly=False)
                store = self._ends.enter_context(self._portal.wrap_async_context_manager(opened))
            self._running[product] = SharedStore(store, self._portal)
        return self._running[product]


@contextmanager
def shared_stores(environ: Mapping[str, str]) -> Generator[Stores]:
    """Stores on a thread of their own; tests touch no other store."""
    with start_blocking_portal() as portal, ExitStack() as ends:
        yield Stores(environ, portal, ends)


@asynccontextmanager
async def a_store(
    environ: Mapping[str, str], product: str = "", *, appendonly: bool = True
) -> AsyncGenerator[Store]:
    """A store of the caller's own, to be killed, stopped and emptied. Raises UnavailableError."""
    where = cache_dir(environ)
    if not product:
        async with local_store(print, environ=environ, cache_dir=where, appendonly=appendonly) as store:
            yield store
        return
    ways = (_redis if product == REDIS else _valkey)(environ, where, appendonly=appendonly)
    async with first_available(ways, print, nothing=f"no {product} can be had here: {{tried}}") as store:
        yield store


@contextmanager
def skipping_without(product: str) -> Generator[None]:
    """Redis is to be had wherever the tests run; Valkey may not be."""
    try:
        yield
    except UnavailableError as nowhere:
        if product != VALKEY:
            raise
        pytest.skip(str(nowhere))


def chosen_product(environ: Mapping[str, str]) -> str:
    """What the run's CHOICE names, or nothing."""
    product = environ.get(CHOICE, "")
    if product not in {"", *PRODUCTS}:
        raise ValueError(f"{CHOICE} is {product!r}: set it to {' or '.join(PRODUCTS)}, or unset it")
    return product


def _redis(environ: Mapping[str, str], where: Path, *, appendonly: bool) -> list[Source[Store]]:
    return [
        Source("installed", lambda: _installed(f"{REDIS}-server", environ, where, appendonly=appendonly)),
        Source("unpacked", lambda: unpacked_store(print, environ, where, appendonly=appendonly)),
    ]


def _valkey(environ: Mapping[str, str], where: Path, *, appendonly: bool) -> list[Source[Store]]:
    # The stack's own container is a Valkey.
    stacks = sources(print, environ, where, appendonly=appendonly)
    return [
        Source("installed", lambda: _installed(f"{VALKEY}-server", environ, where, appendonly=appendonly)),
        *(way for way in stacks if way.name == IN_A_CONTAINER),
        Source("unpacked", lambda: unpacked_valkey(print, environ, where, appendonly=appendonly)),
    ]


@asynccontextmanager
async def _installed(
    program: str, environ: Mapping[str, str], where: Path, *, appendonly: bool
) -> AsyncGenerator[Store]:
    async with private_store(installed(environ, (program,)), where, appendonly=appendonly) as store:
        yield store
