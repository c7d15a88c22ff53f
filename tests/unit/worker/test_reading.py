from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import MAX_REQUEST_BYTES, Lane, OnBreak, RequestType
from fleet_worker.delivery import Delivery, TenantRule
from fleet_worker.door.reading import read
from fleet_worker.request import Refusal, Request
from harness.requests import BODY, a_delivery

NOW_MS = 1_795_000_000_000
OPEN = TenantRule()
STRICT = TenantRule(strict=True, trusted_users=frozenset({"fleet"}))


def accepted(delivery: Delivery, rule: TenantRule = OPEN) -> Request:
    reading = read(delivery, rule, NOW_MS)
    assert isinstance(reading, Request), reading
    return reading


def refused(delivery: Delivery, rule: TenantRule = OPEN) -> Refusal:
    reading = read(delivery, rule, NOW_MS)
    assert isinstance(reading, Refusal), reading
    return reading


def test_a_plain_body_is_a_chat_request_of_the_routing_keys_tenant():
    request = accepted(a_delivery())
    assert (request.type, request.tenant, request.lane) == (RequestType.CHAT, "acme", Lane.INTERACTIVE)
    assert (request.model, request.stream, request.retry) == ("deepseek-flash", False, 0)


def test_fields_that_the_fleet_does_not_know_are_passed_on():
    request = accepted(a_delivery({**BODY, "new_field": {"a": [1, None]}}))
    assert request.body["new_field"] == {"a": [1, None]}
    assert b'"new_field":{"a":[1,null]}' in request.payload


def test_a_field_given_twice_reaches_the_upstream_once_as_it_was_checked():
    body = (
        b'{"model":"deepseek-flash","stream":false,"stream":true,"messages":[{"role":"user","content":"a"}]}'
    )
    request = accepted(a_delivery(body))
    assert request.stream is True
    assert request.payload.count(b'"stream"') == 1


@pytest.mark.parametrize(
    ("key", "queue", "lane", "tenant"),
    [
        ("batch.billing", "deepseek.requests.batch", Lane.BATCH, "billing"),
        ("interactive.billing.eu", "deepseek.requests", Lane.INTERACTIVE, "billing"),
        ("deepseek.requests", "deepseek.requests", Lane.INTERACTIVE, "default"),
        ("anything.else", "deepseek.requests", Lane.INTERACTIVE, "default"),
        ("", "deepseek.requests.batch", Lane.BATCH, "default"),
    ],
)
def test_lane_and_tenant_come_from_the_routing_key_only_where_it_names_a_lane(
    key: str, queue: str, lane: Lane, tenant: str
):
    request = accepted(a_delivery(routing_key=key, queue=queue))
    assert (request.lane, request.tenant) == (lane, tenant)


def test_the_header_names_the_tenant_before_the_routing_key_does():
    assert accepted(a_delivery(headers={"fleet-tenant": "sales"})).tenant == "sales"


def test_the_user_that_the_broker_checked_beats_the_header():
    assert accepted(a_delivery(user_id="bob", headers={"fleet-tenant": "sales"})).tenant == "bob"


def test_a_trusted_user_speaks_for_the_tenant_in_the_header():
    delivery = a_delivery(
        user_id="fleet", headers={"fleet-tenant": "sales"}, reply_to="deepseek.reply.sales.1"
    )
    assert accepted(delivery, STRICT).tenant == "sales"


def test_strict_mode_wants_a_user_and_a_reply_queue_of_that_user():
    assert refused(a_delivery(), STRICT).code == ErrorCode.INVALID_REQUEST
    assert refused(a_delivery(user_id="bob"), STRICT).code == ErrorCode.REPLY_REFUSED
    assert accepted(a_delivery(user_id="acme"), STRICT).tenant == "acme"


@pytest.mark.parametrize(
    "reply_to",
    [
        "deepseek.requests",
        "deepseek.dead",
        "admin",
        "x|exchange",
        "deepseek.reply.acme.\n",
        "deepseek.reply." + "é" * 130,
    ],
)
def test_a_reply_queue_outside_the_callers_own_is_refused_and_never_written_to(reply_to: str):
    refusal = refused(a_delivery(reply_to=reply_to))
    assert (refusal.code, refusal.reply_to) == (ErrorCode.REPLY_REFUSED, None)


@pytest.mark.parametrize("reply_to", ["amq.gen-abc", "amq.rabbitmq.reply-to.g1h2", "deepseek.reply.acme.9"])
def test_the_usual_reply_queues_are_accepted(reply_to: str):
    assert accepted(a_delivery(reply_to=reply_to)).reply_to == reply_to


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON"),
        (b"not json", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 200_000, "no JSON"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "model: Field required"),
        (b'\xef\xbb\xbf{"model":"m"}', "no JSON"),
        (b'{"model":"\xff"}', "no JSON"),
        (b'{"model":"\\ud800"}', "no JSON"),
        (b'{"temperature":NaN}', "no JSON"),
        ({"model": "deepseek-flash"}, "messages: Field required"),
        ({**BODY, "model": ""}, "model: "),
        ({**BODY, "messages": []}, "messages: "),
        ({**BODY, "temperature": "hot"}, "temperature: "),
        ({**BODY, "n": 2}, "n: "),
        ({**BODY, "model": "deepseek-chat"}, "deepseek-flash"),
        ({**BODY, "messages": [{"role": "developer", "content": "x"}]}, "messages.0.role: "),
    ],
)
def test_a_body_that_is_no_request_is_refused_with_its_reason(body: object, says: str):
    refusal = refused(a_delivery(body))
    assert refusal.code == ErrorCode.INVALID_REQUEST
    assert says in refusal.message
    assert (refusal.correlation_id, refusal.reply_to) == ("c-1", "deepseek.reply.acme.1")


def test_a_body_nested_deeper_than_can_be_sent_on_is_refused():
    deep: Any = 1
    for _ in range(260):
        deep = [deep]
    encoded = b'{"model":"m","messages":[{"role":"user","content":"a"}],"x":' + b"[" * 260 + b"]" * 260 + b"}"
    assert "too deep" in refused(a_delivery(encoded)).message


def test_a_body_over_eight_mebibytes_is_too_large():
    assert refused(a_delivery(b" " * (MAX_REQUEST_BYTES + 1))).code == ErrorCode.TOO_LARGE


def test_a_refusal_never_repeats_the_senders_text():
    secret = "CANARY-9f3b"
    for body in (
        {**BODY, "temperature": secret},
        {**BODY, "thinking": {"type": secret}},
        {**BODY, "messages": [{"role": secret, "content": secret}]},
        f'{{"model": "{secret}'.encode(),
    ):
        assert secret not in refused(a_delivery(body)).message


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "chat.v9"},
        {"content_encoding": "gzip"},
        {"correlation_id": "a\r\nb"},
        {"correlation_id": "x" * 256},
        {"headers": {"fleet-retry": -1}},
        {"headers": {"fleet-retry": True}},
        {"headers": {"fleet-deadline-ms": 1.5}},
        {"headers": {"fleet-waiting": "yes"}},
        {"headers": {"fleet-on-break": ["x"]}},
        {"headers": {"fleet-tenant": "a.b"}},
        {"user_id": "a b"},
    ],
)
def test_a_property_or_header_of_the_wrong_kind_is_refused(changes: dict[str, Any]):
    assert refused(a_delivery(**changes)).code == ErrorCode.INVALID_REQUEST


def test_without_a_correlation_id_there_is_nobody_to_tell():
    refusal = refused(a_delivery(correlation_id=None))
    assert refusal.correlation_id is None
    assert "correlation_id" in refusal.message


def test_a_refusal_belongs_to_the_retry_that_was_published():
    assert refused(a_delivery(b"", headers={"fleet-retry": 3})).retry == 3
    assert refused(a_delivery(b"", headers={"fleet-retry": "x"})).retry == 0


@pytest.mark.parametrize("encoding", [None, "", "utf-8", "UTF-8"])
def test_a_library_may_say_that_the_body_is_utf_8(encoding: str | None):
    assert accepted(a_delivery(content_encoding=encoding)).stream is False


def test_headers_and_delivery_count_are_read():
    headers = {"fleet-retry": 2, "fleet-deadline-ms": 5, "fleet-on-break": "fail", "x-delivery-count": 3}
    request = accepted(a_delivery(headers=headers, published_ms=NOW_MS - 40))
    assert (request.retry, request.deadline_ms, request.on_break) == (2, 5, OnBreak.FAIL)
    assert (request.deliveries, request.queued_ms) == (3, 40)


@pytest.mark.parametrize(
    ("headers", "deliveries"),
    [
        ({}, 0),
        ({"x-delivery-count": 2}, 2),
        ({"x-acquired-count": 2}, 2),
        ({"x-acquired-count": 3, "x-delivery-count": 1}, 3),
    ],
    ids=["first", "before RabbitMQ 4.3", "given back", "given back twice and once lost with its consumer"],
)
def test_a_delivery_that_came_back_counts_whatever_the_broker_counts_it_in(
    headers: dict[str, int], deliveries: int
):
    assert accepted(a_delivery(headers=headers)).deliveries == deliveries


def test_a_clock_that_runs_ahead_gives_no_negative_waiting_time():
    assert accepted(a_delivery(published_ms=NOW_MS + 5000)).queued_ms == 0


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    body=st.binary(max_size=200),
    headers=st.dictionaries(
        st.sampled_from(["fleet-tenant", "fleet-retry", "fleet-on-break", "x-delivery-count", "x"]), anything
    ),
    correlation_id=st.none() | st.text(max_size=300),
    reply_to=st.none() | st.text(max_size=300),
    kind=st.none() | st.text(max_size=20),
    key=st.text(max_size=300),
)
def test_no_delivery_whatever_it_holds_makes_reading_raise(
    body: bytes,
    headers: dict[str, Any],
    correlation_id: str | None,
    reply_to: str | None,
    kind: str | None,
    key: str,
):
    delivery = a_delivery(
        body, headers=headers, correlation_id=correlation_id, reply_to=reply_to, type=kind, routing_key=key
    )
    assert isinstance(read(delivery, OPEN, NOW_MS), Request | Refusal)


@pytest.mark.parametrize("reply_to", ["deepseek.reply.default.1", "deepseek.reply.acme.1"])
def test_in_strict_mode_an_unknown_sender_is_told_nothing_as_the_queue_may_be_anybodys(reply_to: str):
    refusal = refused(a_delivery(user_id=None, reply_to=reply_to), STRICT)
    assert (refusal.code, refusal.reply_to) == (ErrorCode.INVALID_REQUEST, None)


def test_in_strict_mode_a_known_sender_is_told_what_is_wrong_on_its_own_queue():
    refusal = refused(a_delivery(b"", user_id="acme", reply_to="deepseek.reply.acme.1"), STRICT)
    assert (refusal.code, refusal.reply_to) == (ErrorCode.INVALID_REQUEST, "deepseek.reply.acme.1")
