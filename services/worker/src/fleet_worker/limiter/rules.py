"""What a limiter is told at its start; operators change the limits while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The limits of one pool."""

    concurrency: int
    """Calls at once."""
    rpm: int | None = None
    """Requests in any window."""
    tpm: int | None = None
    """Tokens in any window."""


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """One account's own limits, in each of its pools; what is None follows the rules for all."""

    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None


PUBLISHED_CONCURRENCY = {"deepseek-v4-pro": 500}
"""Calls at once for each account. Source: https://api-docs.deepseek.com/quick_start/rate_limit"""
PUBLISHED_DEFAULT = 2500
IDLE_MODEL = "deepseek-flash"
"""In whose pool a worker that has nothing shows that it lives."""
START = 200
BEAT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Limits and times, all in seconds but where named otherwise."""

    account: str = "default"
    """Whose pool a call counts in where nobody says."""
    accounts: Mapping[str, AccountLimits] = field(default_factory=dict[str, AccountLimits])
    concurrency: int | None = None
    """Calls at once for each model; the published limit where None."""
    rpm: int | None = None
    tpm: int | None = None
    start: int = START
    """How many calls at once a pool begins with before it knows that more are let in."""
    window_s: float = 60.0
    burst_s: float = 1.0
    """What may come at once after a pause; of the limit, window / (window + burst) is used."""
    jitter_s: float = 0.5
    """How much later one call may arrive than another after their permits: no window is exceeded for it.

    A new connection takes some tenths of a second that one in use does not."""
    lease_s: float = 12.0
    beat_s: float = BEAT_S
    grace_s: float = 4.5
    """More than a beat and two timeouts of the store: then every living worker has stated what it has."""
    longest_s: float = 1800.0
    """No call runs longer."""
    reserve: float = 0.15
    """The share of the slots that the batch lane leaves free for interactive requests."""
    waiters: int = 1_000_000
    """How many requests of one tenant and model may hold a delivery in one worker while they wait."""
    keeps_lost: bool = True
    """Whether a worker that was taken for dead gets back the permits of the calls that it still has running;
    otherwise it ends those calls."""
    spare: int = 0
    """Slots kept for each worker for when the store is away; never granted otherwise."""

    def pool(self, model: str, account: str | None = None) -> str:
        """The name of the pool that an account's calls of a model count in."""
        return f"{account or self.account}/{model}"

    def limits_of(self, pool: str) -> PoolLimits:
        """The limits of a pool, before operators changed them."""
        account, _, model = pool.partition("/")
        own = self.accounts.get(account, AccountLimits())
        published = PUBLISHED_CONCURRENCY.get(model, PUBLISHED_DEFAULT)
        return PoolLimits(
            own.concurrency or self.concurrency or published, own.rpm or self.rpm, own.tpm or self.tpm
        )

    def told(self, pool: str) -> list[float]:
        """As scripts/head.lua takes them: limits, where they begin, times in ms, and what is kept free."""
        limits = self.limits_of(pool)
        times = (
            self.window_s + self.jitter_s,
            self.burst_s,
            self.lease_s,
            self.beat_s,
            self.grace_s,
            self.longest_s,
        )
        in_ms = (round(seconds * 1000) for seconds in times)
        start = (limits.concurrency, limits.rpm or 0, limits.tpm or 0, self.start)
        return [*start, *in_ms, self.reserve, self.spare]


def account_of(pool: str) -> str:
    """The account of a pool."""
    return pool.partition("/")[0]


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """One tenant's own limits, in each pool; money over all pools."""

    weight: float = 1
    """How much more than others it gets when all of them wait."""
    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    day: int | None = None
    """Nano-dollars a day (UTC)."""
    month: int | None = None
    """Nano-dollars a calendar month (UTC)."""
