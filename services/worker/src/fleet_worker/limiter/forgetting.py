"""Forgets what the limiter keeps of a tenant, for operators: its limits, its money, and its use by day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fleet_chassis.clock import Clock
from fleet_chassis.store import Commands, fields_of
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.overview import Overview

USAGE_KEPT_DAYS = 62
"""As `release.lua` has it."""
_QUEUE, _RESERVED = "queue", "r"


@dataclass(frozen=True, slots=True)
class ForgottenLimits:
    """How many of each."""

    limits: int
    spent: int
    """Sums of a day or a month."""
    usage: int
    """Figures of a day."""
    has_queues: bool
    """Left: it has queues of its own, which workers serve."""


async def forget_limits(store: Commands, namespace: str, tenant: str, clock: Clock) -> ForgottenLimits:
    """Forget a tenant's limits, budgets, spending and use; what its running calls have reserved stays.

    May be repeated. Raises what the store's methods do.
    """
    overview, keys = Overview(store, namespace, clock), Keys(namespace)
    set_for_it = [name for name in await overview.settings() if name.startswith(f"tenant|{tenant}|")]
    limits = [name for name in set_for_it if not name.endswith(f"|{_QUEUE}")]
    if limits:
        await overview.clear_tenant(tenant)
    spent = await _forget_fields(store, keys.money, lambda name: _is_spent_by(tenant, name))
    usage = 0
    for day in _days(clock):
        usage += await _forget_fields(store, keys.usage(day), lambda name: name.startswith(f"{tenant}|"))
    return ForgottenLimits(len(limits), spent, usage, len(set_for_it) > len(limits))


async def _forget_fields(store: Commands, key: str, is_its: Callable[[str], bool]) -> int:
    count = 0
    async for fields in fields_of(store, key):
        its = [field for field in fields if is_its(field.decode())]
        if its:
            count += await store.command("HDEL", key, *its)
    return count


def _is_spent_by(tenant: str, name: str) -> bool:
    kind, _, rest = name.partition("|")
    return kind != _RESERVED and rest.rpartition("|")[2] == tenant


def _days(clock: Clock) -> list[str]:
    # One more on both sides: this clock and a worker's may differ.
    today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date()
    return [(today - timedelta(days=back)).isoformat() for back in range(-1, USAGE_KEPT_DAYS + 2)]
