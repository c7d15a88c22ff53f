"""Pure: whether what was looked at in each rest stays what it was, or grows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

WARM_UP = 4
"""One rest in so many, the first ones, does not count: pools and caches fill."""
LEAST = 4
"""Rests that are needed to say anything."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a figure may grow from the first third of the rests to the last: a share, and some more."""

    share: float
    some: float


def growth(figures: Sequence[Mapping[str, float]], bounds: Mapping[str, Bound]) -> list[str]:
    """What has grown by more than its bound, each in a line; one line where there is too little to tell."""
    counted = figures[len(figures) // WARM_UP :]
    if len(counted) < LEAST:
        return [f"{len(figures)} rests are too few to say that anything is flat: let it last longer"]
    third = max(1, len(counted) // 3)
    grown: list[str] = []
    for name, bound in bounds.items():
        first = median(each[name] for each in counted[:third])
        last = median(each[name] for each in counted[-third:])
        if last > first * (1 + bound.share) + bound.some:
            grown.append(f"{name}: from {first:.0f} to {last:.0f}")
    return grown
