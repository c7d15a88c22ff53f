"""Pure: the life of one request, from the ledger's record of it and its dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from fleet_cli.dlq.letter import SHORT_ID, Letter
from fleet_cli.dlq.view import printable
from fleet_worker.hold import Trial
from fleet_worker.ledger.holder import decoded
from fleet_worker.ledger.record import Head, Record
from fleet_worker.request import RequestKey

Json = dict[str, Any]

UNKNOWN = "unknown"
WIDTH = 12


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of one request. `letters` is None where nobody could be asked for dead letters."""

    key: RequestKey
    record: Record | None
    letters: Sequence[Letter] | None
    now_ms: int

    @property
    def state(self) -> str:
        """In one word: how it ended, or where it is."""
        record = self.record
        if record is None:
            return UNKNOWN
        if record.ended is not None:
            return record.ended.outcome
        if record.facts is None:
            return "cancelled before it came"
        if record.owner and record.lease_ends_ms > self.now_ms:
            return "running"
        return "lost" if record.owner else "waiting"

    def fields(self) -> Json:
        """For programs; what is not known is left out. No text of the request or its answer."""
        tenant, correlation_id, retry = self.key
        told: Json = {
            "tenant": tenant,
            "correlation_id": correlation_id,
            "retry": retry,
            "state": self.state,
        }
        if self.record is not None:
            told |= _of_record(self.record)
        if self.letters is not None:
            told["dead_letters"] = [letter.fields() for letter in self.letters]
        return {name: value for name, value in told.items() if value is not None}

    def lines(self) -> list[str]:
        """For people."""
        tenant, correlation_id, retry = self.key
        name = f"{correlation_id}~{retry}" if retry else correlation_id
        lines = [f"{name} of {tenant}", _line("state", self.state), *self._of_record(), *self._buried()]
        return [printable(line) for line in lines]

    def _of_record(self) -> list[str]:
        record = self.record
        if record is None:
            others = f"somebody other than {self.key[0]} asked (--tenant)"
            return [
                _line(
                    "", f"the ledger knows nothing of it: it waits in its queue, was forgotten, or {others}"
                )
            ]
        lines: list[str] = []
        if (facts := record.facts) is not None:
            streamed = "streamed" if facts.stream else "unstreamed"
            target = facts.reply_to or "deepseek.results"
            lines.append(_line("asked", f"{facts.model}, {facts.lane}, {streamed}, replies to {target}"))
        if timings := _timings(record.body):
            lines.append(_line("waited", _waits(timings)))
        lines += [_line(f"attempt {trial.number}", _tried(trial)) for trial in _trials(record)]
        if record.vanished:
            lines.append(_line("lost", f"{record.vanished} workers after they began an attempt"))
        if record.cancelled:
            lines.append(_line("cancelled", "its caller wants it no more"))
        if record.ended is not None:
            lines.append(_line("reply", _reply(record.ended, record.body)))
        return lines

    def _buried(self) -> list[str]:
        if self.letters is None:
            return [_line("dead letter", "not looked for: the broker could not be asked")]
        return [
            _line("dead letter", f"{letter.id[:SHORT_ID]} {letter.code}: see `fleet dlq show`")
            for letter in self.letters
        ]


def _of_record(record: Record) -> Json:
    facts = record.facts
    return {
        "model": facts.model if facts else None,
        "lane": facts.lane if facts else None,
        "stream": facts.stream if facts else None,
        "reply_to": facts.reply_to if facts else None,
        "cancelled": record.cancelled,
        "vanished": record.vanished,
        "timings": _timings(record.body),
        "attempts": [asdict(trial) for trial in _trials(record)],
        "reply": {**asdict(record.ended), "kept": record.body is not None} if record.ended else None,
    }


def _trials(record: Record) -> list[Trial]:
    return [decoded(record.trials[number]) for number in sorted(record.trials)]


def _timings(body: bytes | None) -> Json | None:
    """Where the time went, which only a result tells."""
    found: Any = orjson.loads(body).get("timings") if body else None
    return cast("Json", found) if isinstance(found, dict) else None


def _waits(timings: Mapping[str, Any]) -> str:
    queued, permit = timings.get("queued_ms"), timings.get("permit_ms")
    return f"{queued} ms in the queue, {permit} ms for a permit; {timings.get('total_ms')} ms in all"


def _tried(trial: Trial) -> str:
    account = f" with account {trial.account}" if trial.account else ""
    began = f"{_moment(trial.started_ms)} by {trial.worker}{account}"
    if trial.ended_ms is None:
        return f"{began}, not ended as far as anybody told"
    trace = f", x-ds-trace-id {trial.trace_id}" if trial.trace_id else ""
    return f"{began}, {trial.outcome} after {trial.ended_ms - trial.started_ms} ms{trace}"


def _reply(head: Head, body: bytes | None) -> str:
    kept = f"{len(body)} bytes" if body is not None else "no longer kept"
    return f"{head.kind} {head.fleet_id}, {kept}, sha-256 {head.digest[:16]}"


def _moment(at_ms: int) -> str:
    local = datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S")


def _line(name: str, told: str) -> str:
    return f"  {name.ljust(WIDTH)}{told}"
