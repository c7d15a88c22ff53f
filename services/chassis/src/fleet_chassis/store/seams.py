"""The parts of a store that code stands on, so that it can be given something else that does the same."""

from collections.abc import Sequence
from typing import Any, Protocol

from fleet_chassis.store.script import Script


class Commands(Protocol):
    """Runs commands, as `RedisStore.command` does."""

    async def command(self, *command: Any) -> Any:
        """Run one command."""
        ...


class Scripts(Commands, Protocol):
    """Runs scripts too, as `RedisStore.run` does."""

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script as one atomic step."""
        ...
