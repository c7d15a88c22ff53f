"""The limiter as operators see it: how it stands, what was used, and what they set while it runs."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fleet_chassis.clock import Clock
from fleet_chassis.store import Commands
from fleet_worker.limiter.keys import Keys
from fleet_worker.prices import NANO

TENANT_LIMITS = ("weight", "concurrency", "rpm", "tpm", "day", "month", "queue")
MONEY = frozenset({"day", "month"})
RESERVE = "reserve"
LEARNED = ("learned", "still", "grown", "cut", "oks", "patience", "room", "told", "busy", "eased", "cool")
"""What a pool's state holds of the provider's answers; see scripts/learning.lua."""
_POOL = "pool|"
_SINCE, _WORKER = 4, 5
"""Where a lease says since when it is held and by whom; see scripts/head.lua."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """How a pool stands."""

    pool: str
    configured: int
    limit: int
    """What is granted now: what is configured, or less where the provider taught it."""
    in_flight: int
    waiting: int
    told: int
    """The limit that the provider named last; 0 where it named none."""
    cools_down_ms: int
    """How long nobody calls yet."""
    rpm: int = 0
    """Requests a minute; 0 where nothing limits them."""
    tpm: int = 0
    """Tokens a minute; 0 where nothing limits them."""
    learned: bool = False
    """Whether the provider's answers, or its balance, ever taught a limit."""
    oldest_ms: int = 0
    """How long the oldest call in flight has its permit."""
    holders: dict[str, int] = field(default_factory=dict[str, int])
    """How many permits each worker holds, by its name in the limiter."""
    tenants: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """For each tenant how many are `in_flight` and how many are `waiting`."""


@dataclass(frozen=True, slots=True)
class View:
    """How the limiter stands."""

    workers: int
    pools: list[PoolView]
    settings: dict[str, str]
    """What operators set, by name."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was used."""

    tenant: str
    model: str
    day: str
    calls: int
    input: int
    cached: int
    output: int
    dollars: float


class Overview:
    """Reads the limiter's keys, and writes only what operators set."""

    def __init__(self, store: Commands, namespace: str, clock: Clock) -> None:
        self._store = store
        self._keys = Keys(namespace)
        self._clock = clock

    async def view(self) -> View:
        """How everything stands now."""
        meta = texts_of(await self._store.command("HGETALL", self._keys.meta))
        pools = [await self._pool(name) for name in sorted(pools_in(meta))]
        now = self._clock.now_ms()
        workers = await self._store.command("ZCOUNT", self._keys.workers, now, "+inf")
        return View(workers, pools, await self.settings())

    async def pools(self) -> set[str]:
        """Every pool that a worker has called, by its name."""
        return set(pools_in(texts_of(await self._store.command("HGETALL", self._keys.meta))))

    async def settings(self) -> dict[str, str]:
        """What operators set, by name."""
        return texts_of(await self._store.command("HGETALL", self._keys.config))

    async def usage(self, days: int) -> list[UsageRow]:
        """What was used on the last `days` days (UTC), today included."""
        today = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).date()
        rows: list[UsageRow] = []
        for back in range(days):
            day = (today - timedelta(days=back)).isoformat()
            rows += _rows(day, texts_of(await self._store.command("HGETALL", self._keys.usage(day))))
        return rows

    async def set_pool(self, pool: str, **limits: float | None) -> None:
        """Set limits of a pool for the whole fleet; None takes what was set away."""
        await self._set({f"pool|{pool}|{name}": value for name, value in limits.items()})

    async def clear_pool(self, pool: str) -> bool:
        """Take away every limit that was set for a pool; whether there was one."""
        return await self._clear([name for name in await self.settings() if pool_of(name) == pool])

    async def clear_pools(self) -> bool:
        """Take away every limit of every pool, and the reserve; whether there was one."""
        names = [name for name in await self.settings() if pool_of(name) is not None or name == RESERVE]
        return await self._clear(names)

    async def relearn(self, pool: str) -> None:
        """Forget what the provider's answers taught of a pool: it begins again as one never called."""
        await self._store.command("HDEL", self._keys.part(pool, "state"), *LEARNED)
        await self._set({})

    async def set_reserve(self, share: float | None) -> None:
        """Set the share of the slots that batch leaves free."""
        await self._set({RESERVE: share})

    async def set_tenant(self, tenant: str, **limits: float | None) -> None:
        """Set a tenant's limits for the whole fleet, `day` and `month` in dollars; None takes one away."""
        nano = {name: _stored(name, value) for name, value in limits.items()}
        await self._set({f"tenant|{tenant}|{name}": value for name, value in nano.items()})

    async def clear_tenant(self, tenant: str) -> None:
        """Take away every limit and budget of a tenant; its queues, if it has its own, stay."""
        await self.set_tenant(tenant, **{name: None for name in TENANT_LIMITS if name != "queue"})

    async def _clear(self, names: list[str]) -> bool:
        await self._set(dict.fromkeys(names))
        return bool(names)

    async def _set(self, values: dict[str, float | None]) -> None:
        for name, value in values.items():
            if value is None:
                await self._store.command("HDEL", self._keys.config, name)
            else:
                await self._store.command("HSET", self._keys.config, name, f"{value:.15g}")
        # By time, so that what is set after a loss of the store is newer than what workers remember.
        await self._store.command("HSET", self._keys.meta, "version", self._clock.now_ms())
        await self._store.command("PUBLISH", self._keys.common_channel, "!")

    async def _pool(self, name: str) -> PoolView:
        state = texts_of(await self._store.command("HGETALL", self._keys.part(name, "state")))
        held = [info.decode().split("|") for info in await self._values(name, "held")]
        tickets = [info.decode().split("|") for info in await self._values(name, "tickets")]
        tenants: dict[str, Counter[str]] = {}
        for what, infos in (("in_flight", held), ("waiting", tickets)):
            for tenant, *_ in infos:
                tenants.setdefault(tenant, Counter())[what] += 1
        now = self._clock.now_ms()
        return PoolView(
            pool=name,
            configured=_whole(state.get("configured")),
            limit=_whole(state.get("limit")),
            rpm=_whole(state.get("rpm")),
            tpm=_whole(state.get("tpm")),
            learned="cut" in state or "eased" in state,
            in_flight=_whole(state.get("n")),
            waiting=sum(counts["waiting"] for counts in tenants.values()),
            told=_whole(state.get("told")),
            cools_down_ms=max(0, round(float(state.get("cool", 0)) - now)),
            oldest_ms=max((round(now - float(info[_SINCE])) for info in held), default=0),
            holders=dict(Counter(info[_WORKER] for info in held)),
            tenants={tenant: dict(counts) for tenant, counts in sorted(tenants.items())},
        )

    async def _values(self, pool: str, part: str) -> list[bytes]:
        return await self._store.command("HVALS", self._keys.part(pool, part))


def pools_in(meta: dict[str, str]) -> dict[str, float]:
    """Every pool that the limiter's `meta` names, with when a worker last stated what it has of it, in ms."""
    return {name.removeprefix(_POOL): float(at) for name, at in meta.items() if name.startswith(_POOL)}


def pool_of(setting: str) -> str | None:
    """Whose limit a setting is, by its name; None where it is not a pool's."""
    return setting.rpartition("|")[0].removeprefix(_POOL) if setting.startswith(_POOL) else None


def _whole(text: str | None) -> int:
    # A script writes what is very large with an exponent.
    return int(float(text or 0))


def _stored(name: str, value: float | None) -> float | None:
    return round(value * NANO) if value is not None and name in MONEY else value


def texts_of(found: dict[bytes, bytes]) -> dict[str, str]:
    """A hash of the store, decoded."""
    return {name.decode(): value.decode() for name, value in found.items()}


def _rows(day: str, fields: dict[str, str]) -> list[UsageRow]:
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for name, value in fields.items():
        tenant, _, rest = name.partition("|")
        model, _, what = rest.rpartition("|")
        sums.setdefault((tenant, model), {})[what] = int(value)
    return [
        UsageRow(
            tenant,
            model,
            day,
            found.get("calls", 0),
            found.get("input", 0),
            found.get("cached", 0),
            found.get("output", 0),
            found.get("nano", 0) / NANO,
        )
        for (tenant, model), found in sorted(sums.items())
    ]
