"""Kubernetes' horizontal autoscaler over the fleet's workers, second by second, as the chart sets it.

The rules are those of https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
(looks every 15 s, tolerance of a tenth, stabilization, policies) over the one metric that KEDA makes of the
chart's formula, with its fallback (https://keda.sh/docs/latest/reference/scaledobject-spec/#fallback). Which
worker is taken away is left to chance, as there; it drains, as the fleet's do.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from model.scaled_fleet import Fleet, Load, Workers

LOOK_S = 15
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the chart says."""

    least: int
    most: int
    target: int
    up_percent: int
    up_pods: int
    up_period_s: int
    down_window_s: int
    down_percent: int
    down_period_s: int
    unknown: int
    """What an unknown figure is worth until the fallback steps in."""
    failures: int
    """So many looks in vain the fallback waits."""
    workers: Workers


@dataclass(slots=True)
class Course:
    """What happened, second by second."""

    waiting: list[int] = field(default_factory=list[int])
    running: list[int] = field(default_factory=list[int])
    workers: list[int] = field(default_factory=list[int])
    """Those wanted; the ones that drain are not counted."""
    cut: int = 0
    """Calls that outlasted their worker's grace."""
    seconds: int = 0

    @property
    def open(self) -> list[int]:
        """What waits or runs."""
        return [a + b for a, b in zip(self.waiting, self.running, strict=True)]

    def turns(self) -> int:
        """How often the number of workers went down after it had gone up."""
        steps = [b - a for a, b in pairwise(self.workers) if b != a]
        return sum(1 for before, after in pairwise(steps) if before > 0 > after)


class Metric:
    """What KEDA tells the autoscaler."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._failed = 0

    def of(self, fleet: Fleet, *, known: bool) -> float:
        backlog = fleet.waiting + fleet.running
        self._failed = 0 if known else self._failed + 1
        if self._failed > self._rules.failures:
            return self._rules.target * max(len(fleet.wanted), self._rules.least)
        return min(backlog, fleet.useful if known else self._rules.unknown)


class Autoscaler:
    """Says how many workers there should be."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._advised: deque[tuple[int, int]] = deque()
        self._changes: deque[tuple[int, int]] = deque()

    def wants(self, metric: float, current: int, now: int) -> int:
        """The number of workers, where the metric is `metric` over all of them."""
        rules = self._rules
        ratio = metric / (rules.target * current) if current else math.inf
        advised = current if abs(ratio - 1) <= TOLERANCE else math.ceil(metric / rules.target)
        self._advised.append((now, advised))
        while self._advised[0][0] < now - rules.down_window_s:
            self._advised.popleft()
        # Down only to the highest that was advised in the window; up at once.
        settled = max(advised, min(current, max(each for _, each in self._advised)))
        bounded = min(max(settled, self._lowest(current, now)), self._highest(current, now))
        chosen = min(max(bounded, rules.least), rules.most)
        if chosen != current:
            self._changes.append((now, chosen - current))
        return chosen

    def _highest(self, current: int, now: int) -> int:
        before = current - sum(self._changed(now, self._rules.up_period_s, up=True))
        return max(before + self._rules.up_pods, math.ceil(before * (1 + self._rules.up_percent / 100)))

    def _lowest(self, current: int, now: int) -> int:
        before = current - sum(self._changed(now, self._rules.down_period_s, up=False))
        return math.ceil(before * (1 - self._rules.down_percent / 100))

    def _changed(self, now: int, period_s: int, *, up: bool) -> Iterator[int]:
        return (by for at, by in self._changes if at > now - period_s and (by > 0) == up)


def played(rules: Rules, load: Load, seed: int = 1) -> Course:
    """What becomes of the load with workers that come and go."""
    metric, scaler = Metric(rules), Autoscaler(rules)

    def scale(fleet: Fleet, now: int) -> None:
        if now % LOOK_S == 0:
            told = metric.of(fleet, known=now not in load.store_away)
            fleet.scale(scaler.wants(told, len(fleet.wanted), now), now)

    fleet = Fleet(rules.workers, load, random.Random(seed), rules.least)
    return _course(fleet, load, scale)


def played_by(workers: int, kind: Workers, load: Load, seed: int = 1) -> Course:
    """What becomes of the load with so many workers all the time."""
    return _course(Fleet(kind, load, random.Random(seed), workers), load, lambda _fleet, _now: None)


def _course(fleet: Fleet, load: Load, scale: Callable[[Fleet, int], None]) -> Course:
    course = Course()
    for now in range(load.lasts_s):
        fleet.step(now)
        scale(fleet, now)
        course.waiting.append(fleet.waiting)
        course.running.append(fleet.running)
        course.workers.append(len(fleet.wanted))
    course.cut, course.seconds = fleet.cut, load.lasts_s
    return course
