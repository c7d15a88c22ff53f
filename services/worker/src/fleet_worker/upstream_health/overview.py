"""The upstream's health as operators see it: which models are left alone, which accounts are paused."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.store import Commands
from fleet_worker.upstream_health.keys import model_key, open_key, pause_key

MOST_LISTED = 100
"""Callers choose model names: of more breakers that are open, the newest are told."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Calls that are not made now."""

    account: str
    """Which account is paused; empty where a model is left alone."""
    upstream: str
    """Where a model is left alone, for all accounts there; empty where an account is paused."""
    model: str
    """Empty where the whole account is paused."""
    code: str
    """What the upstream refuses the account for; empty where calls of the model failed too often."""
    down_s: float
    left_s: float
    """Seconds until a call finds out whether all is well again; 0 while that goes on."""


async def troubles(store: Commands, namespace: str, pools: Iterable[str], clock: Clock) -> list[Trouble]:
    """What keeps calls back, by the record that all workers share: pauses first, then breakers.

    Args:
        store: where the fleet keeps it.
        namespace: what every key of this fleet starts with.
        pools: names of pools, account and model, whose accounts are looked at.
        clock: the time.

    Breakers of every upstream are found, whatever its name and whoever calls it.
    """
    accounts = sorted({pool.partition("/")[0] for pool in pools})
    listed = await store.command("ZREVRANGE", open_key(namespace), 0, MOST_LISTED - 1)
    breakers = sorted(tuple(name.decode().partition("/")[::2]) for name in listed)
    looked = await asyncio.gather(
        *(_look(store, pause_key(namespace, account), (account, "", ""), clock) for account in accounts),
        *(
            _look(store, model_key(namespace, upstream, model, "breaker"), ("", upstream, model), clock)
            for upstream, model in breakers
        ),
    )
    return [trouble for trouble in looked if trouble is not None]


async def _look(store: Commands, key: str, whose: tuple[str, str, str], clock: Clock) -> Trouble | None:
    since, until, code = await store.command("HMGET", key, "since", "until", "code")
    if since is None:
        return None
    now_ms = clock.now_ms()
    down_s = max(0.0, (now_ms - int(since)) / 1000)
    left_s = max(0.0, (int(float(until or 0)) - now_ms) / 1000)
    return Trouble(*whose, (code or b"").decode(), down_s, left_s)
