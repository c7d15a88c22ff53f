import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.topology import CONTROL_CANCELS, DEAD, DEAD_KEY_RAW, DEAD_RAW
from fleet_worker.deadline import Deadline
from fleet_worker.delivery import Delivery, TenantRule
from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Granted
from fleet_worker.terminal import Terminal
from harness.graveyard import Graveyard
from harness.hostile import ANY, PROPERTY
from harness.requests import a_delivery, a_request

REQUEST_HEADERS = ["fleet-retry", "fleet-deadline-ms", "fleet-tenant", "fleet-on-break", "x-delivery-count"]


def raw(reason: str = "expired", *, queue: str = "deepseek.requests", **changes: Any) -> Delivery:
    """A request as the broker dead-letters it."""
    entry = {
        "reason": reason,
        "queue": queue,
        "exchange": "deepseek.requests",
        "routing-keys": ["batch.acme"],
    }
    headers = {"x-death": [entry], **changes.pop("headers", {})}
    return a_delivery(
        queue=DEAD_RAW, exchange=DEAD, routing_key=DEAD_KEY_RAW, headers=headers, type="chat.v1", **changes
    )


def digest_of(delivery: Delivery) -> str:
    return sha256(delivery.body).hexdigest()


@pytest.mark.parametrize(
    ("reason", "code"),
    [("expired", "deadline_exceeded"), ("delivery_limit", "crash_loop"), ("rejected", "internal")],
)
async def test_what_the_broker_put_aside_gets_its_failure_and_a_dead_letter_that_says_why(
    reason: str, code: str
):
    yard = Graveyard()
    assert await yard.raw.take(raw(reason)) is Outcome.DONE
    assert yard.replies.lines == [code]
    (letter,) = yard.surely.kept
    assert (letter.headers["fleet-dead-code"], letter.headers["fleet-dead-reason"]) == (code, reason)
    assert letter.headers["fleet-dead-routing-key"] == "batch.acme"
    assert (letter.headers["fleet-tenant"], letter.reply_to) == ("acme", "deepseek.reply.acme.1")


async def test_a_janitor_that_was_cut_off_before_the_dead_letter_writes_it_the_next_time():
    yard = Graveyard()
    yard.surely.away = True
    assert await yard.raw.take(raw()) is Outcome.HAND_BACK
    yard.surely.away = False
    assert await yard.raw.take(raw()) is Outcome.DONE
    assert yard.codes == ["deadline_exceeded"]
    assert len({terminal.body for terminal in yard.replies.terminals}) == 1


async def test_a_copy_of_a_request_that_has_its_answer_brings_that_answer_and_no_dead_letter():
    yard = Graveyard()
    claim = await yard.ledger.claim(a_request(digest=digest_of(raw())), DeliveryLease())
    assert isinstance(claim, Granted)
    answer = Terminal("result", "c-1:final", 1, b"{}")
    await yard.ledger.commit(claim.hold, answer, Deadline(yard.clock.monotonic()))
    assert await yard.raw.take(raw()) is Outcome.DONE
    assert (yard.replies.terminals, yard.codes) == ([answer], [])


async def test_a_cancelled_request_that_expired_ends_as_cancelled_without_a_dead_letter():
    yard = Graveyard()
    await yard.canceller.cancel(a_request().key)
    assert await yard.raw.take(raw()) is Outcome.DONE
    assert (yard.replies.lines, yard.codes) == (["cancelled"], [])


async def test_a_publish_that_was_no_request_is_refused_and_buried_all_the_same():
    yard = Graveyard()
    assert await yard.raw.take(raw(body=b"no json")) is Outcome.DONE
    assert [refusal.code for refusal in yard.replies.refusals] == ["invalid_request"]
    assert yard.codes == ["invalid_request"]
    assert yard.surely.kept[0].headers["fleet-dead-reason"] == "expired"


async def test_a_cancel_that_the_broker_put_aside_is_buried_and_nobody_told():
    yard = Graveyard()
    assert await yard.raw.take(raw("delivery_limit", queue=CONTROL_CANCELS)) is Outcome.DONE
    assert (yard.replies.lines, yard.replies.refusals, yard.codes) == ([], [], ["crash_loop"])


async def test_in_strict_mode_only_the_user_that_the_broker_checked_names_the_tenant():
    yard = Graveyard(TenantRule(strict=True))
    forged = {"fleet-tenant": "victim"}
    reply_to = "deepseek.reply.acme.1"
    await yard.raw.take(raw(user_id="acme", headers=forged, reply_to=reply_to))
    assert yard.surely.kept[0].headers["fleet-tenant"] == "acme"


@given(st.dictionaries(st.sampled_from([*REQUEST_HEADERS, "x-death"]), ANY), PROPERTY, PROPERTY)
async def test_whatever_was_forged_ends_as_one_dead_letter(
    headers: dict[str, Any], correlation_id: Any, type_: Any
):
    yard = Graveyard()
    delivery = a_delivery(
        queue=DEAD_RAW, headers=headers, correlation_id=correlation_id, type=type_, reply_to=correlation_id
    )
    assert await yard.raw.take(delivery) is Outcome.DONE
    assert len(yard.codes) == 1
    json.dumps(yard.surely.kept[0].headers)
