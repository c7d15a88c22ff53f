"""Every key and channel of the limiter in the store: one hash tag, so that one script sees all."""

from functools import lru_cache

_POOL_PARTS = (
    "state",
    "members",
    "leases",
    "held",
    "flows:interactive",
    "flows:batch",
    "queue",
    "tickets",
    "blocked",
    "finish",
    "rates",
)
MAX_POOLS = 1000


class Keys:
    """The keys under one namespace."""

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{namespace}:{{limits}}"
        self._channels = f"{namespace}:limits:"
        self.meta = f"{self._prefix}:meta"
        self.config = f"{self._prefix}:config"
        self.money = f"{self._prefix}:money"
        self.workers = f"{self._prefix}:workers"
        self.common_channel = self.channel("*")
        self.of = lru_cache(maxsize=MAX_POOLS)(self._of)

    def channel(self, worker: str) -> str:
        """Where a worker hears what became of its wishes; the prefix of all channels where empty."""
        return f"{self._channels}{worker}"

    def part(self, pool: str, part: str) -> str:
        """One of a pool's keys, by its name."""
        return f"{self._prefix}:pool:{pool}:{part}"

    def usage(self, day: str) -> str:
        """What was used on a day, as in 2026-11-26."""
        return f"{self._prefix}:usage:{day}"

    def _of(self, pool: str) -> list[str]:
        shared = [self.meta, self.config, self.money, self.workers]
        return shared + [self.part(pool, part) for part in _POOL_PARTS]
