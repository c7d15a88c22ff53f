"""Going through much of what the store holds in bounded steps: it answers others in between."""

import re
from collections.abc import AsyncGenerator

from fleet_chassis.store.seams import Commands

STEP = 1000
"""Keys or fields looked at in one step: well below a millisecond of the store's one thread."""
_SPECIAL = re.compile(r"[\\*?\[\]^]")


async def keys_beginning_with(store: Commands, beginning: str) -> AsyncGenerator[list[bytes]]:
    """Every key that begins so, some at a time; one that comes or goes meanwhile may be left out.

    Raises what the store's `command` does.
    """
    pattern, cursor = f"{_literal(beginning)}*", 0
    while True:
        cursor, found = await store.command("SCAN", cursor, "MATCH", pattern, "COUNT", STEP)
        # A table that is resized meanwhile is gone through twice in parts.
        if found:
            yield list(dict.fromkeys(found))
        if not int(cursor):
            return


async def fields_of(store: Commands, key: str) -> AsyncGenerator[list[bytes]]:
    """Every field of a hash, some at a time; as `keys_beginning_with`."""
    cursor = 0
    while True:
        cursor, found = await store.command("HSCAN", key, cursor, "COUNT", STEP)
        if found:
            yield list(found)
        if not int(cursor):
            return


def _literal(text: str) -> str:
    return _SPECIAL.sub(lambda special: f"\\{special.group()}", text)
