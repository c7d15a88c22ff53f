"""Prints how the limiter stands and what was used."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from fleet_chassis.clock import Clock
from fleet_cli.console import say
from fleet_cli.limits.opening import opened
from fleet_worker.limiter.overview import MONEY, TENANT_LIMITS, Overview, UsageRow, View
from fleet_worker.prices import NANO

REFRESH_S = 2.0
COUNTED = ("calls", "input", "cached", "output", "dollars")


async def show_limits(environ: Mapping[str, str], clock: Clock, *, watch: bool, as_json: bool) -> None:
    """Print pools and tenants once, or again and again until cancelled."""
    async with opened(environ, clock) as overview:
        while True:
            view = await overview.view()
            for line in [json.dumps(asdict(view))] if as_json else lines_of(view):
                say(line)
            if not watch:
                return
            await clock.sleep(REFRESH_S)
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
    shown = [[_cell(row[name]) for name in (*by, *COUNTED)] for row in rows]
    for line in table([(*by, *COUNTED), *shown]):
        say(line)


async def show_tenants(environ: Mapping[str, str], clock: Clock, *, as_json: bool) -> None:
    """Print every tenant that something is set for."""
    async with opened(environ, clock) as overview:
        tenants = await tenants_of(overview)
    if as_json:
        say(json.dumps(tenants))
        return
    shown = [
        [name, *(_cell(limits.get(limit)) for limit in TENANT_LIMITS)] for name, limits in tenants.items()
    ]
    for line in table([("tenant", *TENANT_LIMITS), *shown]):
        say(line)


async def tenants_of(overview: Overview) -> dict[str, dict[str, float]]:
    """What is set for each tenant, money in dollars."""
    tenants: dict[str, dict[str, float]] = {}
    for name, value in sorted((await overview.settings()).items()):
        kind, _, rest = name.partition("|")
        tenant, _, limit = rest.partition("|")
        if kind == "tenant":
            tenants.setdefault(tenant, {})[limit] = float(value) / (NANO if limit in MONEY else 1)
    return tenants


def lines_of(view: View) -> list[str]:
    """How the limiter stands, as a person reads it."""
    head = ("pool", "limit", "configured", "in flight", "oldest", "waiting", "provider said", "cools down")
    pools = [
        (
            pool.pool,
            str(pool.limit),
            str(pool.configured),
            str(pool.in_flight),
            _seconds(pool.oldest_ms),
            str(pool.waiting),
            str(pool.told or ""),
            _seconds(pool.cools_down_ms),
        )
        for pool in view.pools
    ]
    tenants = [
        (pool.pool, tenant, str(counts.get("in_flight", 0)), str(counts.get("waiting", 0)))
        for pool in view.pools
        for tenant, counts in pool.tenants.items()
    ]
    settings = [f"{name.replace('|', ' ')} = {value}" for name, value in sorted(view.settings.items())]
    return [
        f"{view.workers} worker{'' if view.workers == 1 else 's'}",
        *table([head, *pools]),
        *(["", *table([("pool", "tenant", "in flight", "waiting"), *tenants])] if tenants else []),
        *(["", "set by operators:", *settings] if settings else []),
    ]


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
    return f"{value:.6g}" if isinstance(value, float) else str(value)
