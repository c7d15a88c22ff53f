"""The upstream's health as operators see it: which models are left alone, which accounts are paused."""

from collections.abc import Iterable
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.store import Commands
from fleet_worker.upstream_health.keys import DEEPSEEK, model_key, pause_key


@dataclass(frozen=True, slots=True)
class Trouble:
    """Calls that are not made now."""

    account: str
    model: str
    """Empty where the whole account is paused."""
    code: str
    """What the upstream refuses the account for; empty where calls of the model failed too often."""
    down_s: float
    left_s: float
    """Seconds until a call finds out whether all is well again; 0 while that goes on."""


async def troubles(store: Commands, namespace: str, pools: Iterable[str], clock: Clock) -> list[Trouble]:
    """What keeps calls of these pools (account and model) back, by the record that all workers share."""
    named = [tuple(pool.rpartition("/")[::2]) for pool in pools]
    found: list[Trouble] = []
    for account in sorted({account for account, _ in named}):
        found += await _look(store, pause_key(namespace, account), account, "", clock)
    for account, model in sorted(set(named)):
        for upstream in dict.fromkeys((account, DEEPSEEK)):
            key = model_key(namespace, upstream, model, "breaker")
            found += await _look(store, key, account, model, clock)
    return found


async def _look(store: Commands, key: str, account: str, model: str, clock: Clock) -> list[Trouble]:
    since, until, code = await store.command("HMGET", key, "since", "until", "code")
    if since is None:
        return []
    now_ms = clock.now_ms()
    down_s = max(0.0, (now_ms - int(since)) / 1000)
    left_s = max(0.0, (int(float(until or 0)) - now_ms) / 1000)
    return [Trouble(account, model, (code or b"").decode(), down_s, left_s)]
