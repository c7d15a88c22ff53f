"""Pure: what became of every request, told from what its caller saw and what the upstream charged.

The categories are Jepsen's: lost, duplicated, recovered, unexpected (https://jepsen.io).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from chaos.events import Event
from chaos.report import Report, Residue

TERMINAL = ("result", "failure")
ON_ITS_WAY_S = 0.5
"""What a worker said in its last moment may be heard so long after it was killed."""


@dataclass
class Life:
    """What the caller saw of one request."""

    confirmed: bool = False
    cancel: bool = False
    """Whether its caller took it back."""
    worker: str = ""
    """Who began with it."""
    terminals: list[Event] = field(default_factory=list[Event])
    chunks: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    """In order of arrival, by run and attempt."""
    arrivals: list[Event] = field(default_factory=list[Event])

    @property
    def ends(self) -> set[str]:
        """The digests of its distinct terminal replies."""
        return {terminal.fields["digest"] for terminal in self.terminals}


def check(events: Iterable[Event], residue: Residue) -> Report:
    """Judge a run from everything that was written down, in any order, and what was there in the end."""
    report = Report(residue)
    ordered = sorted(events, key=lambda event: event.at)
    killed = {event.fields["who"]: event.at for event in ordered if event.kind == "killed"}
    lives = _lives((event for event in ordered if "who" not in event.fields), report)
    for request, life in lives.items():
        _judge(request, life, report)
        _time_recovery(life, killed, report)
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
    match event.kind:
        case "confirmed":
            life.confirmed = True
        case "cancel":
            life.cancel = True
        case "repeated" | "cancel of a stranger":
            pass
        case _:
            life.arrivals.append(event)
    if event.kind in TERMINAL:
        life.terminals.append(event)
    elif event.kind == "chunk":
        life.chunks[event.fields["run"]].append(event)
    elif event.kind == "accepted":
        life.worker = event.fields.get("worker", "")


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
    report.attempts += first.fields.get("attempts", 1)
    if first.kind == "failure":
        _judge_failure(request, life, first.fields["code"], report)
    else:
        _judge_result(request, life, first, report)
    _judge_attempts(request, life, report)


def _judge_failure(request: str, life: Life, code: str, report: Report) -> None:
    if code != "cancelled":
        report.failures[code] += 1
        return
    report.cancelled += 1
    if not life.cancel:
        report.unexpected.append(f"cancelled without a cancel: {request}")


def _judge_result(request: str, life: Life, result: Event, report: Report) -> None:
    report.results += 1
    report.degraded += bool(result.fields["degraded"])
    if not result.fields["right"]:
        report.wrong.append(request)
    if result.fields["degraded"] or not result.fields["streamed"]:
        return
    runs = [seen for run, seen in life.chunks.items() if run.endswith(f":{result.fields['attempt']}")]
    wanted = result.fields["last_seq"] + 1
    whole = [taken for taken in map(_in_order, runs) if len(taken) == wanted]
    if wanted and not whole:
        report.gaps.append(request)
    elif wanted and result.fields["text"] not in [_joined(taken) for taken in whole]:
        report.wrong.append(request)


def _judge_attempts(request: str, life: Life, report: Report) -> None:
    shown = [event for event in life.arrivals if event.kind in ("chunk", "restarted")]
    for before, after in pairwise(shown):
        if after.kind == "restarted":
            report.restarted[after.fields["reason"]] += 1
        elif before.kind == "chunk" and _changes_run(before, after) and not _announced(life, after):
            report.glued.append(request)


def _time_recovery(life: Life, killed: dict[str, float], report: Report) -> None:
    """Only where the worker that began was killed: who went on in its place is not told."""
    restarts = [event for event in life.arrivals if event.kind == "restarted"]
    if not restarts or restarts[0].fields["reason"] != "worker_lost" or life.worker not in killed:
        return
    first, at = restarts[0].at, killed[life.worker]
    before = [event.at for event in life.arrivals if event.kind == "chunk" and event.at < first]
    if at < first and (not before or max(before) < at + ON_ITS_WAY_S):
        report.recovery_s.append(first - at)


def _changes_run(before: Event, after: Event) -> bool:
    return before.fields["run"] != after.fields["run"]


def _announced(life: Life, chunk: Event) -> bool:
    """Whether the chunk's attempt was announced: it is the first, or a `restarted` named it before."""
    attempt = _attempt_of(chunk.fields["run"])
    announced = {
        event.fields["attempt"]
        for event in life.arrivals
        if event.kind == "restarted" and event.at <= chunk.at
    }
    return attempt == min(map(_attempt_of, life.chunks)) or attempt in announced


def _attempt_of(run: str) -> int:
    return int(run.rpartition(":")[2])


def _in_order(chunks: list[Event]) -> list[Event]:
    """The chunks as a reader takes them: a repeated one counts once, one out of order is a gap."""
    taken: list[Event] = []
    for chunk in chunks:
        if chunk.fields["seq"] == len(taken):
            taken.append(chunk)
    return taken


def _joined(chunks: list[Event]) -> str:
    return "".join(chunk.fields["text"] for chunk in chunks)
