"""How many calls the limiter lets run: what an autoscaler needs to know beside what waits."""

from fleet_chassis.clock import Clock
from fleet_chassis.store import StoreUnavailableError
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.overview import Commands
from fleet_worker.limiter.rules import IDLE_MODEL, Rules

USED_S = 600
"""A pool that nobody has used for longer has no say."""
_POOL, _STATE = b"pool|", 4


class ScaleSignal:
    """Adds up the limits of the pools that are in use. Any worker's answer is the whole fleet's.

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
        unused = self._rules.limits_of(self._rules.pool(IDLE_MODEL)).concurrency
        return {
            "limit": sum(limit for limit, _ in pools) or unused,
            "in_flight": sum(running for _, running in pools),
        }

    async def _in_use(self) -> list[tuple[int, int]]:
        if self._shared is None:
            return []
        store, keys = self._shared[0], Keys(self._shared[1])
        since = self._clock.now_ms() - USED_S * 1000
        meta = await store.command("HGETALL", keys.meta)
        named = {name.decode(): float(at) for name, at in meta.items() if name.startswith(_POOL)}
        recent = [name.removeprefix("pool|") for name, at in named.items() if at >= since]
        found = [await self._pool(store, keys.of(name)[_STATE]) for name in recent]
        # A worker with nothing to do shows in some pool that it lives, which is no use of it.
        return [pool for pool in found if pool[1]] or found

    async def _pool(self, store: Commands, state: str) -> tuple[int, int]:
        limit, running = await store.command("HMGET", state, "limit", "n")
        return int(limit or 0), int(running or 0)
