"""Pure: how the fleet stands at one moment, and as a person reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fleet_cli.limits.showing import table
from fleet_worker.limiter.overview import PoolView
from fleet_worker.upstream_health.overview import Trouble

COUNTERS = ("requests", "failures", "attempts", "tokens", "dollars")


@dataclass(frozen=True, slots=True)
class LaneView:
    """One queue of the fleet."""

    queue: str
    ready: int
    """Messages that wait in it."""
    consumers: int


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker, by its own metrics."""

    url: str
    name: str = ""
    version: str = ""
    reached: bool = True
    ready: bool = False
    draining: bool = False
    why_not: str = ""
    """Why it takes nothing, where it is not ready and says so."""
    in_flight: int = 0
    capacity: int = 0
    oldest_s: float = 0.0
    """Age of its oldest request in work."""
    counted: Mapping[str, float] = field(default_factory=dict[str, float])
    """What it counted since it started, by one of COUNTERS."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything, at one moment. What could not be asked is None, and `unknown` says why."""

    lanes: Sequence[LaneView] | None
    workers: Sequence[WorkerView]
    sharing: int | None
    """How many workers share the store."""
    pools: Sequence[PoolView] | None
    unknown: Sequence[str] = ()
    is_whole: bool = True
    """Whether everything that was looked at answered."""
    troubles: Sequence[Trouble] = ()
    """What calls are not made, and why."""


def rates(before: Snapshot, now: Snapshot, seconds: float) -> dict[str, float]:
    """How much of each counter there was in a second, over the workers that were reached both times."""
    earlier = {worker.url: worker for worker in before.workers if worker.reached}
    sums = dict.fromkeys(COUNTERS, 0.0)
    for worker in now.workers:
        known = earlier.get(worker.url)
        if known is None or not worker.reached:
            continue
        for name in COUNTERS:
            # A worker that was started again counts from 0.
            sums[name] += max(0.0, worker.counted.get(name, 0.0) - known.counted.get(name, 0.0))
    return {name: amount / seconds for name, amount in sums.items()}


def document(now: Snapshot, each_second: Mapping[str, float]) -> dict[str, Any]:
    """The same for programs."""
    return {
        **asdict(now),
        "each_second": dict(each_second),
        "in_flight": sum(worker.in_flight for worker in now.workers),
        "oldest_s": max((worker.oldest_s for worker in now.workers), default=0.0),
    }


def lines(now: Snapshot, each_second: Mapping[str, float]) -> list[str]:
    """For people."""
    found: list[str] = []
    if now.lanes is not None:
        rows = [(lane.queue, str(lane.ready), str(lane.consumers)) for lane in now.lanes]
        found += table([("queue", "waiting", "consumers"), *rows])
    if now.workers:
        head = ("worker", "state", "in flight", "of", "oldest", "version")
        found += ["", *table([head, *map(_worker, now.workers)])]
        found += [f"{worker.name}: {worker.why_not}" for worker in now.workers if worker.why_not]
        found += ["", _rates(each_second)]
    if now.sharing is not None:
        found += ["", f"{now.sharing} worker{'' if now.sharing == 1 else 's'} at the store"]
    if now.pools:
        head = ("pool", "limit", "in flight", "waiting")
        rows = [(pool.pool, str(pool.limit), str(pool.in_flight), str(pool.waiting)) for pool in now.pools]
        found += table([head, *rows])
    found += ["", *map(sentence_of, now.troubles)] if now.troubles else []
    return [*found, *(["", *now.unknown] if now.unknown else [])]


def sentence_of(trouble: Trouble) -> str:
    """Whose calls are not made, since when, and what happens next."""
    if trouble.model:
        what, why = f"{trouble.model} at {trouble.upstream} is left alone", "its calls kept failing"
    else:
        what, why = f"account {trouble.account} is paused", f"DeepSeek says {trouble.code}"
    again = f"in {trouble.left_s:.0f} s" if trouble.left_s else "now"
    return f"{what} for {trouble.down_s:.0f} s, as {why}: its requests wait, and {again} one call tries"


def _worker(worker: WorkerView) -> tuple[str, ...]:
    if not worker.reached:
        return (worker.url, "does not answer", "", "", "", "")
    state = "draining" if worker.draining else "ready" if worker.ready else "not ready"
    oldest = f"{worker.oldest_s:.1f} s" if worker.in_flight else ""
    return (
        worker.name,
        state,
        str(worker.in_flight),
        str(worker.capacity),
        oldest,
        worker.version,
    )


def _rates(each_second: Mapping[str, float]) -> str:
    return (
        f"{each_second['requests']:.2f} requests/s ({each_second['failures']:.2f} failed), "
        f"{each_second['attempts']:.2f} attempts/s, {each_second['tokens']:.0f} tokens/s, "
        f"{each_second['dollars'] * 3600:.4f} US dollars/h"
    )
