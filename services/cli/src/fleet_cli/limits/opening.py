"""Opens the shared limiter of the environment's store."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from fleet_chassis.clock import Clock
from fleet_chassis.store import RedisStore, StoreScriptError, StoreUnavailableError, open_store
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.stack_env import addressed, namespace_of
from fleet_cli.stack.store.place import place_of
from fleet_cli.wrong_input import WrongInputError
from fleet_worker.limiter.overview import Overview

ANSWER_DEADLINE_S = 8.0


@asynccontextmanager
async def opened(environ: Mapping[str, str], clock: Clock) -> AsyncGenerator[Overview]:
    """The limiter in the store of REDIS_URL, else of the stack that runs in this folder.

    Raises:
        WrongInputError: there is no store.
        SettingsError: its URL is none.
        StackError: it does not answer.
    """
    async with opened_store(environ, clock) as (store, namespace):
        yield Overview(store, namespace, clock)


@asynccontextmanager
async def opened_store(environ: Mapping[str, str], clock: Clock) -> AsyncGenerator[tuple[RedisStore, str]]:
    """The store itself, and what its keys begin with; raises as `opened` does."""
    url = addressed(environ).get("REDIS_URL")
    if not url:
        raise WrongInputError(
            "REDIS_URL is not set and no stack with a store runs here: a worker without a store keeps its "
            "limits in its own memory, where only its settings set them"
        )
    try:
        async with open_store(url, ANSWER_DEADLINE_S, clock) as store:
            yield store, namespace_of(environ)
    except (StoreUnavailableError, StoreScriptError) as error:
        raise StackError(f"the store at {place_of(url)} can't be used: {error}") from error
