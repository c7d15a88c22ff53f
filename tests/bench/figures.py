"""What a bench found: figures by name, and what kept it from finding some."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Figures:
    """Figures of all scenarios; what is missing has a reason."""

    found: dict[str, Any] = field(default_factory=dict[str, Any])
    doubts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    took_s: dict[str, float] = field(default_factory=dict[str, float])
    """How long each scenario ran."""

    def doubt(self, scenario: str, *why: str) -> None:
        """Something of a scenario is not to be trusted."""
        self.doubts.setdefault(scenario, []).extend(why)

    def get(self, name: str) -> Any:
        """A figure, or None where it was not found."""
        return self.found.get(name)


def middle(runs: Sequence[T], by: Callable[[T], float]) -> T:
    """The run in the middle."""
    return sorted(runs, key=by)[len(runs) // 2]


def median_of(runs: Sequence[T], by: Callable[[T], float]) -> float:
    return statistics.median(by(run) for run in runs)
