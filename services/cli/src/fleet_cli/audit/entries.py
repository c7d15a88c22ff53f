"""The entries of the audit log, as a stream in the store."""

from collections.abc import Sequence
from dataclasses import dataclass

from fleet_chassis.store import Commands

MOST = 10_000
"""The oldest of more are forgotten."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done."""

    at_ms: int
    """By the store's clock."""
    who: str
    command: str
    """As it was typed."""
    outcome: str
    """`begun`, and in a second entry `failed` with the error's class, or `stopped`, where it went wrong."""


class AuditLog:
    """Adds entries and reads them; nothing changes one."""

    def __init__(self, store: Commands, namespace: str) -> None:
        self._store = store
        self._key = f"{namespace}:audit"

    async def add(self, who: str, command: str, outcome: str) -> None:
        """Write an entry."""
        fields = ("who", who, "command", command, "outcome", outcome)
        await self._store.command("XADD", self._key, "MAXLEN", "~", MOST, "*", *fields)

    async def newest(self, count: int) -> list[Entry]:
        """At most `count` entries, the newest last."""
        found = await self._store.command("XREVRANGE", self._key, "+", "-", "COUNT", count)
        return [_entry(number, fields) for number, fields in reversed(found)]


def _entry(number: bytes, fields: Sequence[bytes] | dict[bytes, bytes]) -> Entry:
    pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    told = {name.decode(): value.decode(errors="replace") for name, value in pairs.items()}
    return Entry(
        int(number.partition(b"-")[0]), told.get("who", ""), told.get("command", ""), told.get("outcome", "")
    )
