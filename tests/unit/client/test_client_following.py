"""Outcomes on their way to a reader."""

from collections.abc import Callable
from contextlib import aclosing

import pytest

from fleet_client.errors import FleetClosed
from fleet_client.following import Arrivals, Delivery
from fleet_client.outcome import Outcome, outcome_from
from fleet_client.results import outcomes
from harness import replies as wire


class Reader:
    """A follower whose deliveries a test makes up."""

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self.acked: list[str] = []

    async def open(self, timeout_s: float) -> None: ...

    async def close(self) -> None: ...

    def bring(self, correlation_id: str, body: bytes | None = None, tenant: str = "acme") -> None:
        async def ack() -> None:
            self.acked.append(correlation_id)

        reply = wire.encoded(wire.result(correlation_id, "text")) if body is None else body
        self.arrivals.put(Delivery(correlation_id, f"result.{tenant}.deepseek-v4-pro", reply, ack))


async def test_an_outcome_is_acknowledged_when_the_next_one_is_asked_for() -> None:
    reader = Reader()
    async with aclosing(outcomes(reader)) as found:
        reader.bring("a")
        reader.bring("b")
        assert (await anext(found)).id == "a"
        assert reader.acked == []
        assert (await anext(found)).id == "b"
    assert reader.acked == ["a"]


async def test_what_was_finished_and_comes_again_is_taken_away_unseen() -> None:
    reader = Reader()
    async with aclosing(outcomes(reader)) as found:
        for word in ("a", "b", "a", "c"):
            reader.bring(word)
        assert [(await anext(found)).id for _ in range(3)] == ["a", "b", "c"]
    assert reader.acked == ["a", "b", "a"]


async def test_two_tenants_may_use_the_same_id() -> None:
    reader = Reader()
    async with aclosing(outcomes(reader)) as found:
        reader.bring("a")
        reader.bring("a", tenant="billing")
        assert [(await anext(found)).tenant for _ in range(2)] == ["acme", "billing"]


async def test_what_a_broken_connection_had_brought_is_forgotten() -> None:
    reader = Reader()
    reader.bring("stale")
    reader.arrivals.forget()
    reader.bring("fresh")
    async with aclosing(outcomes(reader)) as found:
        assert (await anext(found)).id == "fresh"


async def test_an_end_comes_before_what_was_not_read() -> None:
    reader = Reader()
    reader.bring("a")
    reader.arrivals.end(FleetClosed("closed"))
    with pytest.raises(FleetClosed):
        await anext(outcomes(reader))


def an_outcome(change: Callable[[wire.Json], object]) -> Outcome | None:
    async def ack() -> None: ...

    reply = wire.result("a", "private words")
    change(reply)
    return outcome_from(Delivery("a", "result.acme.deepseek-v4-pro", wire.encoded(reply), ack))


def test_an_outcome_says_what_it_is_of_and_shows_no_text() -> None:
    outcome = an_outcome(lambda _: None)
    assert outcome is not None
    assert (outcome.tenant, outcome.model, outcome.fleet_id) == ("acme", "deepseek-v4-pro", "a:final")
    assert outcome.unwrap().text == "private words"
    assert "private" not in repr(outcome)


def test_an_answer_that_does_not_match_its_digest_is_an_error() -> None:
    outcome = an_outcome(lambda reply: reply["digests"].update(content=wire.digest("other")))
    assert outcome is not None
    assert outcome.answer is None
    assert outcome.error is not None
