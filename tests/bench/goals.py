"""Pure: which goals hold, by the figures of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.figures import Figures


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal, and whether this run met it."""

    name: str
    goal: str
    value: str
    holds: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    scenario: str
    name: str
    goal: str
    needs: tuple[str, ...]
    judge: Callable[..., tuple[str, bool]]


def goals_of(figures: Figures, scenarios: list[str]) -> list[Goal]:
    """The goals of these scenarios; one whose figures are missing does not hold."""
    return [_judged(rule, figures) for rule in _RULES if rule.scenario in scenarios]


def _judged(rule: _Rule, figures: Figures) -> Goal:
    values: list[Any] = [figures.get(name) for name in rule.needs]
    if None in values:
        why = figures.doubts.get(rule.scenario, ["the scenario did not end"])[0]
        return Goal(rule.name, rule.goal, f"not measured: {why}", holds=False)
    value, holds = rule.judge(*values)
    return Goal(rule.name, rule.goal, value, holds)


def _at_most(limit: float, unit: str) -> Callable[[float], tuple[str, bool]]:
    return lambda value: (f"{value:.2f} {unit}", value <= limit)


def _eighth(ours: float, plain: float) -> tuple[str, bool]:
    return f"1/{plain / ours:.1f} ({ours:.1f} of {plain:.1f} us)", ours * 8 <= plain


def _twice(ours: float, ceiling: float) -> tuple[str, bool]:
    return f"{ours / ceiling:.2f} x ({ceiling:.1f} us)", ours <= 2 * ceiling


def _half(ours: float, plain: float) -> tuple[str, bool]:
    return f"{ours / plain:.2f} x ({ours:.1f} of {plain:.1f} us)", ours * 2 <= plain


def _carried(ours: float, plain: float) -> tuple[str, bool]:
    return f"{ours:.0f}/s, {ours / plain:.1f} x", ours >= 5 * plain and ours >= 19_000


def _punctual(p50: float, p99: float, share: float) -> tuple[str, bool]:
    value = f"{p50:.1f}/{p99:.1f} ms, {share:.1%} of what was offered"
    return value, p50 <= 3 and p99 <= 12 and share >= 0.995


def _calls(ours: float, celery: float, taskiq: float) -> tuple[str, bool]:
    value = f"{ours:.0f} (Celery {celery:.0f}, taskiq {taskiq:.0f})"
    return value, ours >= max(1000.0, celery, taskiq)


def _dispatch(p50: float, p99: float) -> tuple[str, bool]:
    return f"{p50:.1f}/{p99:.1f} ms", p50 <= 5 and p99 <= 25


def _two_cores(us: float) -> tuple[str, bool]:
    cores = us * 2500 * 20 / 1e6
    return f"{cores:.2f} cores at {us:.1f} us", cores <= 2


def _backlog(grown: float, rate: float) -> tuple[str, bool]:
    return f"grew by {grown:.1f} MiB, {rate:.2f} of the rate", grown <= 16 and rate >= 0.95


def _overload(alone: float, crowded: float, running: int, waiting: int) -> tuple[str, bool]:
    holds = crowded <= 1.5 * alone + 2 and running <= 400 and waiting >= 300
    return f"p99 {crowded:.1f} ms beside {alone:.1f}; {waiting} waited", holds


_RULES = (
    _Rule(
        "500",
        "CPU a delta against plain FastStream + httpx",
        "at most 1/8",
        ("500.fleet.worker_us", "500.plain.worker_us"),
        _eighth,
    ),
    _Rule(
        "500",
        "CPU a delta against the hand-framed ceiling",
        "at most 2 x",
        ("500.fleet.worker_us", "500.ceiling.worker_us"),
        _twice,
    ),
    _Rule("500", "CPU a delta at 500 streams", "about 30 us", ("500.fleet.worker_us",), _at_most(33, "us")),
    _Rule(
        "500",
        "broker's CPU a delta against plain",
        "at most half",
        ("500.fleet.broker_us", "500.plain.broker_us"),
        _half,
    ),
    _Rule(
        "1000",
        "deltas/s that one worker carries",
        "at least 5 x plain, about 20,000",
        ("1000.fleet.per_s", "500.plain.per_s"),
        _carried,
    ),
    _Rule(
        "1000",
        "added delay at 1,000 streams, p50/p99",
        "at most 3/12 ms, with all that was offered",
        ("1000.fleet.p50_ms", "1000.fleet.p99_ms", "1000.fleet.share"),
        _punctual,
    ),
    _Rule(
        "2500", "2,500 streams x 20/s", "at most 2 cores of workers", ("2500.fleet.worker_us",), _two_cores
    ),
    _Rule(
        "short",
        "short calls a second and worker core",
        "at least 1,000, and more than no-ops of Celery and taskiq",
        ("short.per_core", "short.celery.per_core", "short.taskiq.per_core"),
        _calls,
    ),
    _Rule(
        "dispatch",
        "publish to upstream at 300/s, p50/p99",
        "at most 5/25 ms",
        ("dispatch.p50_ms", "dispatch.p99_ms"),
        _dispatch,
    ),
    _Rule("idle", "memory of an open stream", "at most 24 KiB", ("idle.kib_a_stream",), _at_most(24, "KiB")),
    _Rule(
        "backlog",
        "100,000 requests queued",
        "memory flat, within 5 % of a short queue's rate",
        ("backlog.grown_mib", "backlog.rate_ratio"),
        _backlog,
    ),
    _Rule("start", "`fleet worker` ready", "under 1.5 s", ("start.s",), _at_most(1.5, "s")),
    _Rule(
        "overload",
        "2.5 x the streams that are admitted",
        "those that run keep their p99, the rest waits in RabbitMQ",
        ("overload.alone_p99_ms", "overload.p99_ms", "overload.running", "overload.waiting"),
        _overload,
    ),
)
