"""What operators set while the fleet runs: kept in the store, and remembered by every worker.

A store that lost it gets it back from whichever worker remembers the newest, before anything is granted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fleet_chassis.store import Commands
from fleet_worker.limiter.keys import Keys

HearSettings = Callable[[Mapping[str, str]], None]


class Operators:
    """The settings as this worker last saw them."""

    def __init__(self, store: Commands, keys: Keys, hear: HearSettings) -> None:
        """`hear`: is told of all settings, by name, whenever they were read."""
        self._hear = hear
        self._store = store
        self._keys = keys
        self._version = 0
        self._pairs: list[bytes] = []

    async def notice(self, version: int) -> None:
        """Read the settings again where the store has newer ones."""
        if version <= self._version:
            return
        # Before the read: whoever notices meanwhile needs not read too.
        before, self._version = self._version, version
        try:
            found: dict[bytes, bytes] = await self._store.command("HGETALL", self._keys.config)
            self._pairs = [item for pair in found.items() for item in pair]
            self._hear({name.decode(): value.decode() for name, value in found.items()})
        except Exception:
            self._version = before
            raise

    def restated(self) -> list[Any]:
        """Version, count and pairs, for a store that may have forgotten them."""
        return [self._version, len(self._pairs) // 2, *self._pairs]
