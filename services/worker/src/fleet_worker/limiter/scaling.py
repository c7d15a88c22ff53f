"""For how many calls workers would be useful: what an autoscaler needs to know beside what waits."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.store import Commands, StoreUnavailableError
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.overview import pools_in, texts_of
from fleet_worker.limiter.rules import IDLE_MODEL, Rules, account_of

USED_S = 600
"""A pool that nobody has used for longer has no say."""
GROWS = 2.0
"""How much more a pool may carry before it is asked again, where nobody waits for a permit.

An autoscaler doubles the workers at most. With more, they would be started for calls of another pool."""
HELD_GROWS = 1.25
"""The same where somebody waits: a limit holds it back already, of calls, rates or of one tenant."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pool stands."""

    limit: int
    """Calls at once that the limiter grants now."""
    in_flight: int
    waiting: int
    """Requests that wait for a permit."""

    @property
    def useful(self) -> int:
        """Calls that would run if there were workers enough, so far as can be told from those that do."""
        growth = HELD_GROWS if self.waiting else GROWS
        return min(self.limit, math.ceil(self.in_flight * growth))


class ScaleSignal:
    """Tells what the limiter makes of the pools in use, of all accounts. Any worker's answer is the fleet's.

    Args:
        rules: what holds for a pool that was never used.
        clock: the time.
        shared: the fleet's store and the prefix of its keys; where None, there is nobody to share work with.
    """

    def __init__(self, rules: Rules, clock: Clock, shared: tuple[Commands, str] | None = None) -> None:
        self._rules = rules
        self._clock = clock
        self._shared = shared

    async def read(self) -> dict[str, int] | None:
        """The calls for which workers would be useful, what may run at once, and what does.

        `useful` is 0 where nothing runs: whatever waits then is not let in, or is about to be taken by the
        workers that are there. None where the store does not answer, or there is none: without it, no further
        worker may start.
        """
        if self._shared is None:
            return None
        try:
            pools = await self._in_use(*self._shared)
        except StoreUnavailableError:
            return None
        return figures(pools.values())

    async def _in_use(self, store: Commands, namespace: str) -> dict[str, Standing]:
        keys = Keys(namespace)
        since = self._clock.now_ms() - USED_S * 1000
        known = pools_in(texts_of(await store.command("HGETALL", keys.meta)))
        recent = [name for name, at in known.items() if at >= since]
        found = {name: await _standing(store, keys, name) for name in recent}
        # A worker with nothing to do shows in some pool that it lives, which is no use of it.
        busy = {name: pool for name, pool in found.items() if pool.in_flight}
        return busy or found | self._never_used(
            {account_of(name) for name, pool in found.items() if pool.limit}
        )

    def _never_used(self, used: set[str]) -> dict[str, Standing]:
        """As configured: one pool of each account that is not among the used ones."""
        rules = self._rules
        names = [rules.pool(IDLE_MODEL, account) for account in rules.accounts or {rules.account: None}]
        return {
            name: Standing(rules.limits_of(name).concurrency, 0, 0)
            for name in names
            if account_of(name) not in used
        }


def figures(pools: Iterable[Standing]) -> dict[str, int]:
    """What is told of pools together."""
    known = list(pools)
    return {
        "useful": sum(pool.useful for pool in known),
        "limit": sum(pool.limit for pool in known),
        "in_flight": sum(pool.in_flight for pool in known),
    }


async def _standing(store: Commands, keys: Keys, pool: str) -> Standing:
    limit, running = await store.command("HMGET", keys.part(pool, "state"), "limit", "n")
    waiting = await store.command("HLEN", keys.part(pool, "tickets"))
    return Standing(int(limit or 0), int(running or 0), int(waiting))
