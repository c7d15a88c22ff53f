"""How the concurrency limits fall with the balance: nobody has published the formula, so it is a setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_LEAST_POINTS = 2


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of its limits that an account may use, by what is left of its balance.

    Attributes:
        points: Balance in US dollars and share from 0 to 1, joined by straight lines; below the first point
            and above the last one the share stays what it is there.
        floor: The limit never falls below this many calls, unless it was set lower. Five is the lowest that
            was ever reported.

    Raises:
        ValueError: There are fewer than two points, they are out of order, or a share is no share.
    """

    points: Sequence[tuple[float, float]] = ((0.0, 0.0), (10.0, 1.0))
    floor: int = 5

    def __post_init__(self) -> None:
        rises = all(left < right for (left, _), (right, _) in pairwise(self.points))
        if len(self.points) < _LEAST_POINTS or not rises:
            raise ValueError("points must be two or more pairs of [balance, share] with rising balances")
        if not all(0 <= share <= 1 for _, share in self.points):
            raise ValueError("every share must be a number from 0 to 1")

    def limit(self, configured: int, dollars: float) -> int:
        """The limit that is left of a configured one."""
        return min(configured, max(self.floor, int(configured * self._share(dollars))))

    def _share(self, dollars: float) -> float:
        if dollars <= self.points[0][0]:
            return self.points[0][1]
        for (left, low), (right, high) in pairwise(self.points):
            if dollars < right:
                return low + (high - low) * (dollars - left) / (right - left)
        return self.points[-1][1]
