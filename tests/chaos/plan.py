"""Pure: how much is asked, what breaks, and when. One seed gives one plan."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Trouble(StrEnum):
    """What can break, in the words of the report."""

    KILL = "a worker killed"
    BROKER_RESTART = "the broker restarted"
    STORE_RESTART = "the store killed and restarted"
    RESET = "all broker connections reset"
    BLACKHOLE = "a worker cut off from the broker"
    DELAY = "a worker far from the broker"
    STORE_RESET = "a worker's store connections reset"
    STORE_BLACKHOLE = "a worker cut off from the store"
    STOP = "a worker stood still"


class Due(NamedTuple):
    """A trouble, and when it begins, in seconds from the first request."""

    at_s: float
    trouble: Trouble


@dataclass(frozen=True)
class Plan:
    """Times in seconds; numbers of troubles spread over the run; 0 leaves one out."""

    requests: int = 10_000
    rate: float = 50.0
    kill_every_s: float = 5.0
    broker_restarts: int = 2
    store_restarts: int = 1
    resets: int = 2
    blackholes: int = 1
    delays: int = 1
    store_resets: int = 1
    store_blackholes: int = 1
    stops: int = 2
    cancel_every: int = 50
    """One request in so many is cancelled at a random moment."""
    repeat_every: int = 40
    """One request in so many is published twice."""
    refused: float = 0.002
    """Share of the upstream calls that are answered with 503."""
    cut: float = 0.005
    """Share of the upstream calls whose connection is reset in mid-answer."""
    seed: int = 1

    @property
    def lasts_s(self) -> float:
        """How long the requests take to be published."""
        return self.requests / self.rate

    def troubles(self) -> list[Due]:
        """What breaks, in order: kills at their pace, everything else at a random moment of its own share."""
        chance = random.Random(self.seed)
        due = [
            Due(self.lasts_s * (number + chance.uniform(0.1, 0.9)) / count, trouble)
            for trouble, count in self._counts().items()
            for number in range(count)
        ]
        if self.kill_every_s > 0:
            kills = int(self.lasts_s / self.kill_every_s)
            due += [Due(self.kill_every_s * number, Trouble.KILL) for number in range(1, kills + 1)]
        return sorted(due)

    def _counts(self) -> dict[Trouble, int]:
        return {
            Trouble.BROKER_RESTART: self.broker_restarts,
            Trouble.STORE_RESTART: self.store_restarts,
            Trouble.RESET: self.resets,
            Trouble.BLACKHOLE: self.blackholes,
            Trouble.DELAY: self.delays,
            Trouble.STORE_RESET: self.store_resets,
            Trouble.STORE_BLACKHOLE: self.store_blackholes,
            Trouble.STOP: self.stops,
        }
