"""Which queues are consumed, how much of each may be in hand, and what is done with it."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fleet_contracts.topology import REQUESTS, REQUESTS_BATCH, REQUESTS_RESUMED
from fleet_worker.delivery import Delivery
from fleet_worker.outcome import Outcome

Take = Callable[[Delivery], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Consumer:
    """What is done with the deliveries of one queue."""

    queue: str
    prefetch: int
    """Unacknowledged deliveries that it may have at once."""
    take: Take
    through_drain: bool = False
    """Whether it goes on while the worker drains."""
    calls_upstream: bool = False
    """Whether what it takes is of no use while the upstream can't be called."""


def request_consumers(concurrency: int, take: Take) -> list[Consumer]:
    """The consumers of the request queues."""
    return [
        Consumer(queue, count, take, calls_upstream=True) for queue, count in prefetches(concurrency).items()
    ]


def prefetches(concurrency: int) -> dict[str, int]:
    """How many unacknowledged deliveries each queue may have here: 1.5 times the calls carried, at most.

    What was parked comes first, so it has room of its own; the batch lane always has some.
    """
    share = max(1, math.ceil(concurrency / 4))
    return {REQUESTS_RESUMED: share, REQUESTS: concurrency, REQUESTS_BATCH: share}
