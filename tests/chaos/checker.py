"""Pure: what became of every request, told from what its caller saw and what the upstream charged.

The categories are Jepsen's: lost, duplicated, recovered, unexpected (https://jepsen.io).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from chaos.events import Event

TERMINAL = ("result", "failure")


@dataclass
class Life:
    """What the caller saw of one request."""

    confirmed: bool = False
    terminals: list[Event] = field(default_factory=list[Event])
    chunks: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Sequence numbers in order of arrival, by run and attempt."""
    arrivals: list[Event] = field(default_factory=list[Event])

    @property
    def ends(self) -> set[str]:
        """The digests of its distinct terminal replies."""
        return {terminal.fields["digest"] for terminal in self.terminals}


@dataclass
class Report:
    """What the checker found. `violations` is empty if every promise was kept."""

    requests: int = 0
    results: int = 0
    failures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lost: list[str] = field(default_factory=list[str])
    duplicated: list[str] = field(default_factory=list[str])
    recovered: int = 0
    unexpected: list[str] = field(default_factory=list[str])
    gaps: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])
    glued: list[str] = field(default_factory=list[str])
    repeated: int = 0
    degraded: int = 0
    restarted: int = 0
    charged: int = 0
    left_behind: list[str] = field(default_factory=list[str])
    recovery_s: list[float] = field(default_factory=list[float])
    """From the last sign of a broken attempt to the `restarted` that announces the next."""

    @property
    def failure_share(self) -> float:
        """Failures among the terminal replies."""
        ended = self.results + sum(self.failures.values())
        return sum(self.failures.values()) / ended if ended else 0.0

    @property
    def charged_per_end(self) -> float:
        """Upstream calls that were charged for each terminal reply."""
        ended = self.results + sum(self.failures.values())
        return self.charged / ended if ended else 0.0

    @property
    def violations(self) -> list[str]:
        """Each broken promise in one line."""
        broken = {
            "lost": self.lost,
            "answered twice": self.duplicated,
            "unexpected": self.unexpected,
            "undetected gap": self.gaps,
            "wrong text": self.wrong,
            "texts glued": self.glued,
            "left behind": self.left_behind,
        }
        return [f"{what}: {len(who)}, as {', '.join(who[:3])}" for what, who in broken.items() if who]


def check(events: Iterable[Event], charged: int, left_behind: Iterable[str] = ()) -> Report:
    """Judge a run.

    Args:
        events: everything that the callers wrote down, in any order.
        charged: upstream calls that the upstream charged.
        left_behind: what the queues and the store still held when all was quiet.
    """
    report = Report(charged=charged, left_behind=list(left_behind))
    lives = _lives(sorted(events, key=lambda event: event.at), report)
    for request, life in lives.items():
        _judge(request, life, report)
    return report


def _lives(events: Iterable[Event], report: Report) -> dict[str, Life]:
    lives: dict[str, Life] = {}
    for event in events:
        if event.kind == "published":
            lives.setdefault(event.request, Life())
        elif event.request not in lives:
            report.unexpected.append(f"{event.kind} for {event.request or 'nobody'}")
        else:
            _note(lives[event.request], event)
    return lives


def _note(life: Life, event: Event) -> None:
    if event.kind == "confirmed":
        life.confirmed = True
        return
    life.arrivals.append(event)
    if event.kind in TERMINAL:
        life.terminals.append(event)
    elif event.kind == "chunk":
        life.chunks[event.fields["run"]].append(event.fields["seq"])


def _judge(request: str, life: Life, report: Report) -> None:
    report.requests += 1
    if not life.terminals:
        if life.confirmed:
            report.lost.append(request)
        return
    report.recovered += not life.confirmed
    report.repeated += len(life.terminals) - len(life.ends)
    if len(life.ends) > 1:
        report.duplicated.append(request)
    first = life.terminals[0]
    if first.kind == "failure":
        report.failures[first.fields["code"]] += 1
    else:
        _judge_result(request, life, first, report)
    _judge_attempts(request, life, report)


def _judge_result(request: str, life: Life, result: Event, report: Report) -> None:
    report.results += 1
    report.degraded += bool(result.fields["degraded"])
    if not result.fields["right"]:
        report.wrong.append(request)
    if result.fields["degraded"] or not result.fields["streamed"]:
        return
    runs = [seqs for run, seqs in life.chunks.items() if run.endswith(f":{result.fields['attempt']}")]
    wanted = list(range(result.fields["last_seq"] + 1))
    if wanted and wanted not in [_in_order(seqs) for seqs in runs]:
        report.gaps.append(request)


def _judge_attempts(request: str, life: Life, report: Report) -> None:
    shown = [event for event in life.arrivals if event.kind in ("chunk", "restarted")]
    for before, after in pairwise(shown):
        if after.kind == "restarted":
            report.restarted += 1
            report.recovery_s.append(after.at - before.at)
        elif before.kind == "chunk" and _changes_run(before, after) and not _announced(life, after):
            report.glued.append(request)


def _changes_run(before: Event, after: Event) -> bool:
    return before.fields["run"] != after.fields["run"]


def _announced(life: Life, chunk: Event) -> bool:
    """Whether the chunk's attempt was announced: it is the first, or a `restarted` named it before."""
    attempt = int(chunk.fields["run"].rpartition(":")[2])
    announced = {event.fields["attempt"] for event in life.arrivals if event.kind == "restarted"}
    first = min(int(run.rpartition(":")[2]) for run in life.chunks)
    return attempt == first or attempt in announced


def _in_order(seqs: list[int]) -> list[int]:
    """The sequence as a reader takes it: a repeated chunk counts once, one out of order is a gap."""
    taken: list[int] = []
    for seq in seqs:
        if seq == len(taken):
            taken.append(seq)
    return taken
