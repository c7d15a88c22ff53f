"""A store that somebody else runs, named by REDIS_URL."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NoReturn

from fleet_cli.stack.errors import StackError
from fleet_cli.stack.store.asking import ask_label
from fleet_cli.stack.store.place import place_of
from fleet_cli.stack.store.store import Store


class NoControl:
    """What we may do to a store that is not ours: nothing but use it."""

    async def start(self, *, empty: bool) -> None:
        """Refused."""
        self._refuse("empty" if empty else "start")

    async def stop(self) -> None:
        """Refused."""
        self._refuse("stop")

    async def kill(self) -> None:
        """Refused."""
        self._refuse("kill")

    async def pause(self) -> None:
        """Refused."""
        self._refuse("pause")

    async def resume(self) -> None:
        """Refused."""
        self._refuse("resume")

    def may_be_emptied(self) -> None:
        """Refused."""
        self._refuse("empty")

    def _refuse(self, what: str) -> NoReturn:
        raise StackError(
            f"the store in REDIS_URL is not ours to {what}: unset REDIS_URL to get a private one"
        )


@asynccontextmanager
async def given_store(url: str) -> AsyncGenerator[Store]:
    """The store at `url`, once it has answered; raises StackError if it does not."""
    from fleet_chassis.store import StoreScriptError, StoreUnavailableError  # late: slow to load

    place = place_of(url)
    try:
        label = await ask_label(url)
    except StoreUnavailableError as unreachable:
        raise StackError(
            f"no store answers at {place}, which REDIS_URL names: start it or unset REDIS_URL"
        ) from unreachable
    except StoreScriptError as refused:
        raise StackError(f"the store at {place}, which REDIS_URL names, says no ({refused})") from refused
    yield Store(url, label, NoControl())
