"""Prints how the limiter stands and what was used."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from fleet_chassis.clock import Clock
from fleet_cli.console import clear, say
from fleet_cli.limits.opening import opened
from fleet_contracts.topology import tenant_topology
from fleet_worker.limiter.overview import (
    MONEY,
    RESERVE,
    TENANT_LIMITS,
    PoolView,
    UsageRow,
    View,
    pool_of,
)
from fleet_worker.prices import NANO

REFRESH_S = 2.0
HEAD = (
    "pool",
    "limit",
    "configured",
    "rpm",
    "tpm",
    "in flight",
    "oldest",
    "waiting",
    "provider said",
    "cools down",
)
COUNTED = ("calls", "input", "cached", "output", "dollars")


async def show_limits(environ: Mapping[str, str], clock: Clock, *, watch: bool, as_json: bool) -> None:
    """Print pools and tenants once, or again and again until cancelled."""
    async with opened(environ, clock) as overview:
        while True:
            view = await overview.view()
            if watch and not as_json:
                clear()
            for line in [json.dumps(asdict(view))] if as_json else lines_of(view):
                say(line)
            if not watch:
                return
            await clock.sleep(REFRESH_S)
            if not as_json:
                say("")


async def show_usage(
    environ: Mapping[str, str], clock: Clock, by: Sequence[str], days: int, *, as_json: bool
) -> None:
    """Print what was used on the last days, summed up by what `by` names."""
    async with opened(environ, clock) as overview:
        rows = summed(await overview.usage(days), by)
    if as_json:
        say(json.dumps(rows))
        return
    if not rows:
        say(f"nothing was used in {'the last day' if days == 1 else f'the last {days} days'}")
        return
    shown = [[_cell(row[name]) for name in (*by, *COUNTED)] for row in rows]
    for line in table([(*by, *COUNTED), *shown]):
        say(line)


async def show_tenants(environ: Mapping[str, str], clock: Clock, *, as_json: bool) -> None:
    """Print every tenant that something is set for."""
    async with opened(environ, clock) as overview:
        tenants = tenants_of(await overview.settings())
    if as_json:
        say(json.dumps(tenants))
        return
    if not tenants:
        say("nothing is set for any tenant: `fleet tenant set --help` says what can be")
        return
    shown = [
        [
            name,
            *(_cell(limits.get(limit)) for limit in TENANT_LIMITS[:-1]),
            "own" if "queue" in limits else "",
        ]
        for name, limits in tenants.items()
    ]
    for line in table([("tenant", *TENANT_LIMITS), *shown]):
        say(line)


def tenants_of(settings: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """What is set for each tenant, money in dollars."""
    tenants: dict[str, dict[str, float]] = {}
    for name, value in sorted(settings.items()):
        kind, _, rest = name.partition("|")
        tenant, _, limit = rest.partition("|")
        if kind == "tenant":
            tenants.setdefault(tenant, {})[limit] = float(value) / (NANO if limit in MONEY else 1)
    return tenants


def queues_of_tenants(settings: Mapping[str, str]) -> list[str]:
    """The queues of all tenants that have their own."""
    own = [tenant for tenant, limits in tenants_of(settings).items() if "queue" in limits]
    return [queue.name for tenant in own for queue in tenant_topology(tenant).queues]


def lines_of(view: View) -> list[str]:
    """How the limiter stands, as a person reads it."""
    tenants = [
        (pool.pool, tenant, str(counts.get("in_flight", 0)), str(counts.get("waiting", 0)))
        for pool in view.pools
        for tenant, counts in pool.tenants.items()
    ]
    settings = _set_by_operators(view.settings)
    return [
        f"{view.workers} worker{'' if view.workers == 1 else 's'}",
        *table([HEAD, *map(_row, view.pools)]),
        *[
            f"{pool.pool} has fewer than configured: {why}"
            for pool in view.pools
            if (why := _held_down(pool))
        ],
        *(["", *table([("pool", "tenant", "in flight", "waiting"), *tenants])] if tenants else []),
        *(["", "set by operators:", *table(settings)] if settings else []),
    ]


def _row(pool: PoolView) -> tuple[str, ...]:
    return (
        pool.pool,
        str(pool.limit),
        str(pool.configured),
        str(pool.rpm or ""),
        str(pool.tpm or ""),
        str(pool.in_flight),
        _seconds(pool.oldest_ms),
        str(pool.waiting),
        str(pool.told or ""),
        _seconds(pool.cools_down_ms),
    )


def _held_down(pool: PoolView) -> str:
    if pool.limit >= pool.configured:
        return ""
    if pool.learned:
        return "learned from refusals or a low balance, and tried again; `fleet limits relearn` forgets it"
    return "it begins with FLEET_LIMIT_START, and grows with answers while it is used up"


def _set_by_operators(settings: Mapping[str, str]) -> list[tuple[str, str]]:
    pools: dict[str, list[str]] = {}
    for name, value in sorted(settings.items()):
        if (pool := pool_of(name)) is not None:
            pools.setdefault(pool, []).append(f"{name.rpartition('|')[2]} {value}")
    rows = [(pool, ", ".join(limits)) for pool, limits in pools.items()]
    if RESERVE in settings:
        rows.append(("reserve", f"batch leaves {float(settings[RESERVE]):.0%} of the calls at once free"))
    return rows + [
        (f"tenant {tenant}", ", ".join(_said(name, value) for name, value in limits.items()))
        for tenant, limits in tenants_of(settings).items()
    ]


def _said(limit: str, value: float) -> str:
    if limit == "queue":
        return "queues of its own"
    return f"{limit} {_cell(value)}{' US dollars' if limit in MONEY else ''}"


def summed(rows: Iterable[UsageRow], by: Sequence[str]) -> list[dict[str, str | float]]:
    """Rows added up by the fields `by`, the dearest first."""
    sums: dict[tuple[str, ...], dict[str, str | float]] = {}
    for row in rows:
        fields = asdict(row)
        key = tuple(fields[name] for name in by)
        total = sums.setdefault(key, {**dict(zip(by, key, strict=True)), **dict.fromkeys(COUNTED, 0)})
        for name in COUNTED:
            total[name] = (
                float(total[name]) + fields[name] if name == "dollars" else int(total[name]) + fields[name]
            )
    return sorted(sums.values(), key=lambda total: -float(total["dollars"]))


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns; the first is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.0f} s" if ms > 0 else ""


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)
