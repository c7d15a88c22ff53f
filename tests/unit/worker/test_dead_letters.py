from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.codes import ErrorCode
from fleet_worker.replies.dead_letters import Why, to_dead_letters
from fleet_worker.request import Refusal
from harness.hostile import ANY
from harness.requests import a_delivery, a_request


def refusal() -> Refusal:
    return Refusal(
        code=ErrorCode.INVALID_REQUEST,
        message="No.",
        correlation_id="c-1",
        reply_to="deepseek.reply.acme.1",
        message_id="m-1",
        tenant="acme",
    )


def test_a_dead_letter_says_why_and_keeps_what_it_takes_to_ask_again():
    delivery = a_delivery(headers={"fleet-retry": 2, "fleet-on-break": "fail", "x-delivery-count": 3})
    why = Why.failed(a_request(), ErrorCode.CRASH_LOOP, "It died.", attempts=2, reason="delivery_limit")
    letter = to_dead_letters(delivery, why, "w-1", 1000)
    assert letter.body == delivery.body
    assert (letter.correlation_id, letter.reply_to) == ("c-1", "deepseek.reply.acme.1")
    assert letter.headers == {
        "fleet-retry": 2,
        "fleet-on-break": "fail",
        "fleet-dead-code": "crash_loop",
        "fleet-dead-message": "It died.",
        "fleet-dead-reason": "delivery_limit",
        "fleet-dead-at-ms": 1000,
        "fleet-dead-exchange": "deepseek.requests",
        "fleet-dead-queue": "deepseek.requests",
        "fleet-dead-routing-key": "interactive.acme",
        "fleet-dead-worker": "w-1",
        "fleet-dead-attempts": 2,
        "fleet-dead-deliveries": 3,
        "fleet-tenant": "acme",
    }


def test_what_the_sender_wrote_into_the_record_s_place_is_not_believed():
    forged = {"fleet-dead-code": "cancelled", "fleet-dead-reason": "x", "fleet-tenant": "evil", "CC": ["q"]}
    letter = to_dead_letters(a_delivery(headers=forged), Why.refused(refusal()), "w-1", 1000)
    assert letter.headers["fleet-dead-code"] == "invalid_request"
    assert letter.headers["fleet-tenant"] == "acme"
    assert not {"fleet-dead-reason", "CC"} & set(letter.headers)


@given(st.dictionaries(st.sampled_from(["fleet-retry", "fleet-on-break", "traceparent"]), ANY))
def test_only_short_plain_headers_are_kept(headers: dict[str, object]):
    letter = to_dead_letters(a_delivery(headers=headers), Why.refused(refusal()), "w-1", 1000)
    for value in letter.headers.values():
        assert isinstance(value, int | str)
        assert len(str(value)) <= 1024
