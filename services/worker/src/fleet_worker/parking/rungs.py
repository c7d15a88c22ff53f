"""Pure: which rung holds a request next, and when it has waited long enough."""

from collections.abc import Sequence

OVERSHOOT = 0.25
"""A rung may be longer than the wait by this share of it; otherwise the wait is made of several rounds."""
EARLY_MS = 250
"""A rung counts by the broker's clock and the moment is told by a worker's: so much early is in time."""


def rung_for(wait_s: float, left_s: float, rungs: Sequence[int]) -> int:
    """The rung for a request that has `wait_s` seconds to wait.

    The shortest rung that holds it to the end, if it is not much longer than the wait and brings it back
    before `left_s` seconds, its deadline, are over. Otherwise the longest rung within the wait: what is left
    of it is waited in another round. Where even the shortest rung is too long, it is the shortest.

    Args:
        wait_s: seconds until it is worth going on.
        left_s: seconds until nobody wants the answer; infinity where the request sets no deadline.
        rungs: how long each rung holds a request, in seconds.
    """
    shortest = min(rungs)
    enough = [rung for rung in rungs if wait_s <= rung <= min(left_s, wait_s * (1 + OVERSHOOT))]
    within = [rung for rung in rungs if rung <= wait_s]
    return min(enough, default=max(within, default=shortest))


def is_due(until_ms: int, now_ms: int) -> bool:
    """Whether a request parked until `until_ms` may go on."""
    return now_ms + EARLY_MS >= until_ms
