"""The fleet as an autoscaler sees it, second by second: what waits and runs, and workers that come and go."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from fleet_worker.limiter.scaling import Standing, figures

WAITERS = 25
"""Requests of one tenant and model that wait for a permit in one worker; more are put aside."""


@dataclass(frozen=True, slots=True)
class Model:
    """What the limiter lets run of one model."""

    limit: int
    """Calls at once."""
    share: float = 1.0
    """Of the requests that come."""
    a_minute: int | None = None
    """Calls that may begin in a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes, and what the provider and the store make of it."""

    arrivals: Callable[[int], float]
    """Requests that come in a second, by the second."""
    takes_s: Callable[[int, random.Random], float]
    """How long one call takes that begins in this second."""
    models: tuple[Model, ...]
    lasts_s: int
    store_away: range = range(0)
    """The seconds in which nothing begins, and nobody knows a figure."""

    @property
    def limit(self) -> int:
        """Calls at once, over all models."""
        return sum(model.limit for model in self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What a worker is like."""

    concurrency: int
    grace_s: float
    starts_s: int
    """From the decision to a worker that takes requests: scheduling, start and connect."""
    ends_s: int
    """From the end of its last call to its own."""


@dataclass(slots=True)
class Worker:
    """One pod."""

    ready_at: int
    running: int = 0
    stopping_since: int | None = None
    idle_since: int | None = None


@dataclass(slots=True)
class Queue:
    """What of one model waits, runs, and may begin."""

    model: Model
    waiting: int = 0
    running: int = 0
    may_begin: float = 0.0
    held_back: bool = False
    """Whether something waits for which a worker had room."""

    def room(self) -> int:
        """How many the limiter lets begin now."""
        free = self.model.limit - self.running
        if self.model.a_minute is not None:
            free = min(free, int(self.may_begin))
        return max(0, min(free, self.waiting))


class Fleet:
    """Workers that take what waits, as far as the limits go."""

    def __init__(self, kind: Workers, load: Load, chance: random.Random, workers: int) -> None:
        self._kind, self._load, self._chance = kind, load, chance
        self.workers = [Worker(0) for _ in range(workers)]
        self.cut = 0
        self._queues = [Queue(model) for model in load.models]
        self._owed = 0.0
        self._ends: list[tuple[float, int, Worker, Queue]] = []
        self._numbers = count()

    @property
    def running(self) -> int:
        return len(self._ends)

    @property
    def waiting(self) -> int:
        return sum(queue.waiting for queue in self._queues)

    @property
    def wanted(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.stopping_since is None]

    @property
    def useful(self) -> int:
        """What a worker tells on `/scale`, by its own rule."""
        lines = WAITERS * len(self.wanted)
        return figures(
            Standing(queue.model.limit, queue.running, min(queue.waiting, lines) if queue.held_back else 0)
            for queue in self._queues
        )["useful"]

    def step(self, now: int) -> None:
        """One second."""
        self._come(now)
        while self._ends and self._ends[0][0] <= now:
            _, _, worker, queue = heapq.heappop(self._ends)
            worker.running -= 1
            queue.running -= 1
        if now not in self._load.store_away:
            self._begin(now)
        self._leave(now)

    def scale(self, to: int, now: int) -> None:
        """Start workers, or let some go, whichever: Kubernetes knows of no idle one."""
        wanted = self.wanted
        self.workers += [Worker(now + self._kind.starts_s) for _ in range(to - len(wanted))]
        for worker in self._chance.sample(wanted, max(0, len(wanted) - to)):
            worker.stopping_since = now

    def _come(self, now: int) -> None:
        self._owed += self._load.arrivals(now)
        came, self._owed = int(self._owed), self._owed % 1
        shares = [queue.model.share for queue in self._queues]
        if len(shares) == 1:
            self._queues[0].waiting += came
            return
        for queue in self._chance.choices(self._queues, shares, k=came):
            queue.waiting += 1

    def _begin(self, now: int) -> None:
        ready = [worker for worker in self.wanted if worker.ready_at <= now]
        for queue in self._queues:
            if queue.model.a_minute is not None:
                queue.may_begin = min(
                    queue.model.a_minute / 60 * 2, queue.may_begin + queue.model.a_minute / 60
                )
            for worker in self._chance.sample(ready, len(ready)):
                self._give(queue, worker, min(self._kind.concurrency - worker.running, queue.room()), now)
            free = any(worker.running < self._kind.concurrency for worker in ready)
            queue.held_back = queue.waiting > 0 and free

    def _give(self, queue: Queue, worker: Worker, calls: int, now: int) -> None:
        if calls <= 0:
            return
        # Half a million calls begin in one run of the tests.
        takes_s, chance = self._load.takes_s, self._chance
        ends, numbers, push = self._ends, self._numbers, heapq.heappush
        for _ in range(calls):
            push(ends, (now + takes_s(now, chance), next(numbers), worker, queue))
        worker.running += calls
        queue.running += calls
        queue.waiting -= calls
        queue.may_begin -= calls

    def _leave(self, now: int) -> None:
        for worker in [worker for worker in self.workers if worker.stopping_since is not None]:
            if now - (worker.stopping_since or 0) > self._kind.grace_s:
                self._cut(worker)
            if worker.running:
                continue
            worker.idle_since = now if worker.idle_since is None else worker.idle_since
            if now - worker.idle_since >= self._kind.ends_s:
                self.workers.remove(worker)

    def _cut(self, worker: Worker) -> None:
        """The kubelet kills it; its requests wait again."""
        for _, _, _, queue in [end for end in self._ends if end[2] is worker]:
            queue.waiting += 1
            queue.running -= 1
        self.cut += worker.running
        worker.running = 0
        self._ends = [end for end in self._ends if end[2] is not worker]
        heapq.heapify(self._ends)
