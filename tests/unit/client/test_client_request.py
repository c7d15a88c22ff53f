"""What is published, down to the bytes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from fleet_client.errors import InvalidRequest, TooLarge
from fleet_client.request import Request, build, chat_fields
from fleet_client.terms import Terms
from fleet_contracts import ChatRequest, Lane, RequestType

NOW_MS = 1_795_000_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


def a_request(fields: dict[str, Any] | None = None, **terms: Any) -> Request:
    chosen: dict[str, Any] = {"id": "c-1", "tenant": "billing", "timeout_s": 60.0, **terms}
    body = chat_fields("hello", "deepseek-flash", None, fields or {}, stream=False)
    return build(RequestType.CHAT, body, Terms(**chosen), NOW_MS)


def test_a_text_becomes_one_user_message() -> None:
    body = orjson.loads(a_request().body)
    assert body == {"model": "deepseek-flash", "messages": [{"role": "user", "content": "hello"}]}


def test_messages_are_sent_as_they_are() -> None:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert chat_fields(messages, "m", None, {}, stream=False)["messages"] == messages


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (True, {"type": "enabled"}),
        (False, {"type": "disabled"}),
        ({"type": "enabled"}, {"type": "enabled"}),
    ],
)
def test_thinking_is_spelt_as_deepseek_wants_it(given: Any, sent: dict[str, str]) -> None:
    assert chat_fields("x", "m", given, {}, stream=False)["thinking"] == sent


def test_a_streamed_request_says_so() -> None:
    assert chat_fields("x", "m", None, {}, stream=True)["stream"] is True


def test_what_is_built_is_what_the_contract_asks_for() -> None:
    request = a_request({"max_tokens": 5, "a_new_field": 1})
    parsed = ChatRequest.model_validate_json(request.body)
    assert parsed.max_tokens == 5
    assert parsed.model_extra == {"a_new_field": 1}


def test_the_deadline_header_is_the_calls_own_time() -> None:
    request = a_request(timeout_s=1.5)
    assert request.headers["fleet-deadline-ms"] == NOW_MS + 1500
    assert request.time_s == 1.5


def test_the_earlier_of_timeout_and_deadline_counts() -> None:
    assert a_request(deadline=NOW + timedelta(seconds=10)).time_s == pytest.approx(10)
    assert a_request(deadline=NOW + timedelta(seconds=100)).time_s == pytest.approx(60)


def test_a_deadline_may_be_a_number_of_seconds() -> None:
    assert a_request(deadline=10).headers["fleet-deadline-ms"] == NOW_MS + 10_000
    assert a_request(deadline=100).time_s == 60


def test_an_answer_that_is_wanted_however_late_has_no_deadline() -> None:
    request = a_request(timeout_s=None)
    assert request.time_s is None
    assert "fleet-deadline-ms" not in request.headers


def test_asking_anew_is_a_header_and_another_identity() -> None:
    request = a_request(retry=2)
    assert request.headers["fleet-retry"] == 2
    assert request.id_base == "c-1~2"
    assert request.identity_headers == {"fleet-tenant": "billing", "fleet-retry": 2}


def test_the_same_call_is_the_same_bytes_in_every_process() -> None:
    fields = {"max_tokens": 5, "tools": [{"b": 1, "a": 2}]}
    assert a_request(fields).body == a_request(dict(fields)).body


def test_lane_and_tenant_are_in_the_routing_key_and_the_header() -> None:
    request = a_request(lane="batch")
    assert request.routing_key == "batch.billing"
    assert request.headers["fleet-tenant"] == "billing"
    assert a_request(lane=Lane.INTERACTIVE).routing_key == "interactive.billing"


def test_headers_that_nobody_asked_for_are_left_out() -> None:
    assert a_request().headers.keys() == {"fleet-tenant", "fleet-deadline-ms"}
    asked = a_request(waiting=True, on_break="continue").headers
    assert asked["fleet-waiting"] is True
    assert asked["fleet-on-break"] == "continue"


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "a.b"},
        {"lane": "express"},
        {"id": ""},
        {"id": "ü" * 128},
        {"id": "a\nb"},
        {"retry": -1},
        {"on_break": "never"},
        {"timeout_s": 0},
        {"deadline": 0},
        {"deadline": NOW - timedelta(seconds=1)},
        {"deadline": datetime(2026, 1, 1)},  # noqa: DTZ001 -- what the client must refuse
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        a_request(**wrong)


def test_what_is_no_json_is_told_without_showing_it() -> None:
    with pytest.raises(InvalidRequest) as told:
        a_request({"tools": [{"secret text"}]})
    assert "secret text" not in str(told.value)


def test_a_request_over_8_mib_is_told_here() -> None:
    with pytest.raises(TooLarge):
        a_request({"stop": "x" * (8 * 1024 * 1024)})
