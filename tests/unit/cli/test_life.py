"""The life of a request as `fleet show` tells it."""

from typing import Any

import orjson
import pytest

from fleet_cli.dlq.letter import letter_of
from fleet_cli.show.life import Life
from fleet_contracts.grammar import Lane
from fleet_worker.hold import Facts, Trial
from fleet_worker.ledger.holder import encoded
from fleet_worker.ledger.record import Head, Record

NOW_MS = 1_795_435_200_000
FACTS = Facts("deepseek.reply.acme.1", "deepseek-flash", Lane.INTERACTIVE, stream=True)
HEAD = Head("result", "c-1:final", 2, "result", "ab" * 32)


def a_life(letters: Any = (), **record: Any) -> Life:
    return Life(("acme", "c-1", 0), Record(**record) if record else None, letters, NOW_MS)


@pytest.mark.parametrize(
    ("record", "state"),
    [
        ({}, "unknown"),
        ({"cancelled": True}, "cancelled before it came"),
        ({"facts": FACTS}, "waiting"),
        ({"facts": FACTS, "owner": "w", "lease_ends_ms": NOW_MS + 1}, "running"),
        ({"facts": FACTS, "owner": "w", "lease_ends_ms": NOW_MS}, "lost"),
        ({"facts": FACTS, "ended": HEAD}, "result"),
    ],
)
def test_a_request_is_in_one_state(record: dict[str, Any], state: str):
    assert a_life(**record).state == state
    assert a_life(**record).fields()["state"] == state


def test_each_attempt_is_told_with_its_worker_its_end_and_deepseeks_trace():
    trials = {
        2: encoded(Trial(2, "w-2", NOW_MS)),
        1: encoded(Trial(1, "w-1", NOW_MS - 900, NOW_MS - 400, "upstream_interrupted", "t-77")),
    }
    lines = a_life(facts=FACTS, trials=trials).lines()
    first, second = (line for line in lines if "attempt" in line)
    assert first.endswith("by w-1, upstream_interrupted after 500 ms, x-ds-trace-id t-77")
    assert second.endswith("by w-2, not ended as far as anybody told")


def test_an_end_tells_where_the_time_went_and_never_its_text():
    body = orjson.dumps({"response": "CANARY", "timings": {"queued_ms": 12, "permit_ms": 3, "total_ms": 900}})
    told = a_life(facts=FACTS, ended=HEAD, body=body)
    text = "\n".join(told.lines())
    assert "12 ms in the queue, 3 ms for a permit; 900 ms in all" in text
    assert "CANARY" not in f"{text}{told.fields()}"


def test_a_reply_that_is_no_longer_kept_is_told_as_such():
    assert "no longer kept" in "\n".join(a_life(facts=FACTS, ended=HEAD).lines())
    assert a_life(facts=FACTS, ended=HEAD).fields()["reply"]["kept"] is False


def test_what_a_caller_wrote_commands_nothing_to_the_terminal():
    facts = Facts("deepseek.reply.\x1b[2J", "m\x1b]0;x\x07", Lane.BATCH, stream=False)
    life = Life(("acme", "c\x1b[2J", 1), Record(facts=facts), [letter_of(b"", {})], NOW_MS)
    assert all(line.isprintable() for line in life.lines())


def test_who_looks_under_the_wrong_tenant_is_told_of_the_option():
    assert "other than acme" in a_life().lines()[2]
    assert "--tenant" in a_life().lines()[2]


def test_dead_letters_that_could_not_be_asked_for_are_not_told_as_none():
    life = Life(("acme", "c-1", 0), None, None, NOW_MS)
    assert "dead_letters" not in life.fields()
    assert "could not be asked" in life.lines()[-1]
