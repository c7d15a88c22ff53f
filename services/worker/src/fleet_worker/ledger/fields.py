"""Pure: the fields of a record in the store, written and read in one place."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fleet_contracts.grammar import Lane
from fleet_worker.hold import Facts
from fleet_worker.ledger.record import Head, Record
from fleet_worker.terminal import Kind

_TRIAL = b"trial:"
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}


def facts_in(facts: Facts) -> tuple[str, str, int, str]:
    """Facts as arguments: model, lane, stream, reply_to."""
    return facts.model, facts.lane, int(facts.stream), facts.reply_to or ""


def facts_from(values: Sequence[bytes]) -> Facts:
    """Facts from what `facts_in` gave."""
    model, lane, stream, reply_to = (value.decode() for value in values)
    return Facts(reply_to or None, model, Lane(lane), stream == "1")


def head_in(values: Sequence[bytes]) -> Head:
    """The head of a terminal reply from kind, id, attempt, outcome and digest."""
    kind, fleet_id, attempt, outcome, digest = (value.decode() for value in values)
    return Head(_KINDS[kind], fleet_id, int(attempt), outcome, digest)


def record_of(fields: Mapping[bytes, Any], body: bytes | None) -> Record:
    """A whole record, for those who look and change nothing."""

    def text(name: bytes) -> str:
        return fields.get(name, b"").decode()

    return Record(
        identity=text(b"identity"),
        facts=_facts(fields),
        owner=text(b"owner"),
        fence=int(text(b"fence") or 0),
        lease_ends_ms=int(text(b"lease") or 0),
        attempts=int(text(b"attempts") or 0),
        attempts_before=int(text(b"before") or 0),
        void=text(b"void"),
        vanished=int(text(b"vanished") or 0),
        cancelled=text(b"cancelled") == "1",
        waiting=frozenset(text(b"waiting").split()),
        trials={int(name[len(_TRIAL) :]): trial for name, trial in fields.items() if name.startswith(_TRIAL)},
        ended=_head(fields),
        body=body,
    )


def _facts(fields: Mapping[bytes, Any]) -> Facts | None:
    if b"model" not in fields:
        return None
    return facts_from([fields[name] for name in (b"model", b"lane", b"stream", b"reply_to")])


def _head(fields: Mapping[bytes, Any]) -> Head | None:
    if b"digest" not in fields:
        return None
    return head_in([fields[name] for name in (b"kind", b"id", b"attempt", b"outcome", b"digest")])
