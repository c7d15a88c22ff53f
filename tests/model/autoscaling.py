"""Kubernetes' horizontal autoscaler over the fleet's workers, second by second, as the chart sets it.

The rules are those of https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
(looks every 15 s, tolerance of a tenth, stabilization, policies) over the one metric that KEDA makes of the
chart's formula. Which worker is taken away is left to chance, as there; it drains, as the fleet's do.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, pairwise

LOOK_S = 15
TOLERANCE = 0.1
START_S = 20
"""From the decision to a worker that takes requests: scheduling, start and connect, its image being there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the chart says."""

    least: int
    most: int
    target: int
    concurrency: int
    up_percent: int
    up_pods: int
    up_period_s: int
    down_window_s: int
    down_percent: int
    down_period_s: int
    grace_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """What comes, and what the provider makes of it."""

    arrivals: Callable[[int], float]
    """Requests that come in a second, by the second."""
    takes_s: Callable[[int, random.Random], float]
    """How long one call takes that begins in this second."""
    limit: int
    """Calls that the limiter lets run."""
    lasts_s: int


@dataclass(slots=True)
class Worker:
    """One pod."""

    ready_at: int
    running: int = 0
    stopping_since: int | None = None


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

    def turns(self) -> int:
        """How often the number of workers went down after it had gone up."""
        steps = [b - a for a, b in pairwise(self.workers) if b != a]
        return sum(1 for before, after in pairwise(steps) if before > 0 > after)


class Fleet:
    """Workers that take what waits, as far as the limit goes."""

    def __init__(self, rules: Rules, load: Load, chance: random.Random) -> None:
        self._rules, self._load, self._chance = rules, load, chance
        self.workers = [Worker(0) for _ in range(rules.least)]
        self.waiting = 0
        self.cut = 0
        self._owed = 0.0
        self._ends: list[tuple[float, int, Worker]] = []
        self._numbers = count()

    @property
    def running(self) -> int:
        return len(self._ends)

    @property
    def wanted(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.stopping_since is None]

    def step(self, now: int) -> None:
        self._owed += self._load.arrivals(now)
        came, self._owed = int(self._owed), self._owed % 1
        self.waiting += came
        while self._ends and self._ends[0][0] <= now:
            heapq.heappop(self._ends)[2].running -= 1
        self._begin(now)
        self._leave(now)

    def scale(self, to: int, now: int) -> None:
        wanted = self.wanted
        self.workers += [Worker(now + START_S) for _ in range(to - len(wanted))]
        for worker in self._chance.sample(wanted, max(0, len(wanted) - to)):
            worker.stopping_since = now

    def _begin(self, now: int) -> None:
        ready = [worker for worker in self.wanted if worker.ready_at <= now]
        for worker in self._chance.sample(ready, len(ready)):
            room = min(
                self._rules.concurrency - worker.running, self._load.limit - self.running, self.waiting
            )
            for _ in range(max(0, room)):
                ends = now + self._load.takes_s(now, self._chance)
                heapq.heappush(self._ends, (ends, next(self._numbers), worker))
                worker.running += 1
            self.waiting -= max(0, room)

    def _leave(self, now: int) -> None:
        for worker in [worker for worker in self.workers if worker.stopping_since is not None]:
            late = now - (worker.stopping_since or 0) > self._rules.grace_s
            if late:
                self.cut += worker.running
                self.waiting += worker.running
                self._ends = [end for end in self._ends if end[2] is not worker]
                heapq.heapify(self._ends)
            if late or not worker.running:
                self.workers.remove(worker)


class Autoscaler:
    """Says how many workers there should be."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._advised: deque[tuple[int, int]] = deque()
        self._changes: deque[tuple[int, int]] = deque()

    def wants(self, metric: float, current: int, now: int) -> int:
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
    """What becomes of the load."""
    fleet, scaler, course = Fleet(rules, load, random.Random(seed)), Autoscaler(rules), Course()
    for now in range(load.lasts_s):
        fleet.step(now)
        if now % LOOK_S == 0:
            # The chart's formula: no more of the backlog than the limiter lets run.
            metric = min(fleet.waiting + fleet.running, load.limit)
            fleet.scale(scaler.wants(metric, len(fleet.wanted), now), now)
        course.waiting.append(fleet.waiting)
        course.running.append(fleet.running)
        course.workers.append(len(fleet.wanted))
    course.cut, course.seconds = fleet.cut, load.lasts_s
    return course
