"""Single questions to a store, each on a connection of its own."""

from typing import Any

ANSWER_DEADLINE_S = 10.0


async def ask(url: str, *command: Any) -> Any:
    """What the store at `url` answers; raises StoreUnavailableError or StoreScriptError."""
    from fleet_chassis.clock import SystemClock  # late: most commands need no store, and this is slow to load
    from fleet_chassis.store import open_store

    async with open_store(url, ANSWER_DEADLINE_S, SystemClock()) as store:
        return await store.command(*command)


async def ask_label(url: str) -> str:
    """Product and version of the store at `url`, as in `Valkey 8.1.1`; raises as `ask` does."""
    return label_of(await ask(url, "INFO", "server"))


def label_of(told: dict[str, Any]) -> str:
    """Product and version in what INFO tells; Valkey names the Redis that it stands in for as well."""
    if version := told.get("valkey_version"):
        return f"Valkey {version}"
    return f"Redis {told.get('redis_version', 'of unknown version')}"
