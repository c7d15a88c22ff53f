"""How many calls the limiter lets run: what an autoscaler needs to know beside what waits."""

from fleet_chassis.clock import Clock
from fleet_chassis.store import Commands, StoreUnavailableError
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.overview import pools_in, texts_of
from fleet_worker.limiter.rules import IDLE_MODEL, Rules, account_of

USED_S = 600
"""A pool that nobody has used for longer has no say."""


class ScaleSignal:
    """Adds up the limits of the pools in use, of all accounts. Any worker's answer is the whole fleet's.

    Args:
        rules: what holds for a pool that was never used.
        clock: the time.
        shared: the fleet's store and the prefix of its keys; where None, the rules are all there is.
    """

    def __init__(self, rules: Rules, clock: Clock, shared: tuple[Commands, str] | None = None) -> None:
        self._rules = rules
        self._clock = clock
        self._shared = shared

    async def read(self) -> dict[str, int] | None:
        """The calls that may run at once (`limit`) over all pools in use, and those that do (`in_flight`).

        None where the store does not answer.
        """
        try:
            pools = await self._in_use()
        except StoreUnavailableError:
            return None
        return {
            "limit": sum(limit for limit, _ in pools.values()),
            "in_flight": sum(running for _, running in pools.values()),
        }

    async def _in_use(self) -> dict[str, tuple[int, int]]:
        if self._shared is None:
            return self._never_used(set())
        store, keys = self._shared[0], Keys(self._shared[1])
        since = self._clock.now_ms() - USED_S * 1000
        known = pools_in(texts_of(await store.command("HGETALL", keys.meta)))
        recent = [name for name, at in known.items() if at >= since]
        found = {name: await self._pool(store, keys.part(name, "state")) for name in recent}
        # A worker with nothing to do shows in some pool that it lives, which is no use of it.
        busy = {name: pool for name, pool in found.items() if pool[1]}
        return busy or found | self._never_used(
            {account_of(name) for name, (limit, _) in found.items() if limit}
        )

    def _never_used(self, used: set[str]) -> dict[str, tuple[int, int]]:
        """As configured: one pool of each account that is not among the used ones."""
        rules = self._rules
        names = [rules.pool(IDLE_MODEL, account) for account in rules.accounts or {rules.account: None}]
        return {
            name: (rules.limits_of(name).concurrency, 0) for name in names if account_of(name) not in used
        }

    async def _pool(self, store: Commands, state: str) -> tuple[int, int]:
        limit, running = await store.command("HMGET", state, "limit", "n")
        return int(limit or 0), int(running or 0)
