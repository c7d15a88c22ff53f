"""What is refused, with the exact words."""

from typing import Any

import orjson
import pytest

from fleet_simulator.auth import authenticate
from fleet_simulator.config import Account
from fleet_simulator.limits import Limits
from fleet_simulator.refusals import Refusal, insufficient_balance, of_status, too_busy
from fleet_simulator.tool_rules import Rules
from fleet_simulator.validation import validated_chat, validated_fim

ACCOUNTS = (Account("one", ("sk-1", "sk-2")), Account("two", ("sk-3",)))
USER = {"role": "user", "content": "Hello"}
CALLING = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": [{"id": "call_00_a"}]}
TOOL = {"type": "function", "function": {"name": "f"}}


def chat(**changes: Any) -> bytes:
    return orjson.dumps({"model": "deepseek-flash", "messages": [USER], **changes})


def refused(raw: bytes, *, beta: bool = False) -> tuple[int, str | None, str]:
    with pytest.raises(Refusal) as caught:
        validated_chat(raw, Rules(beta=beta))
    return _told(caught.value)


def _told(refusal: Refusal) -> tuple[int, str | None, str]:
    return refusal.status, refusal.content_type, orjson.loads(refusal.body)["error"]["message"]


@pytest.mark.parametrize("header", [None, "", "sk-1", "Basic sk-1", "Bearer", "Bearer a b"])
def test_a_garbled_header_is_refused_at_the_edge_in_plain_text(header: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        authenticate(header, ACCOUNTS, "request")
    assert (caught.value.status, caught.value.body) == (401, b"Authentication Fails (governor)")
    assert caught.value.content_type is None


def test_an_unknown_key_is_named_by_its_last_four_only() -> None:
    with pytest.raises(Refusal) as caught:
        authenticate("Bearer sk-secret-0000", ACCOUNTS, "6f8f")
    assert orjson.loads(caught.value.body) == {
        "error": {
            "message": "Authentication Fails, Your api key: ****0000 is invalid (request_id: 6f8f)",
            "type": "authentication_error",
            "param": None,
            "code": "invalid_request_error",
        }
    }


def test_every_key_of_an_account_opens_it() -> None:
    assert [authenticate(f"Bearer sk-{n}", ACCOUNTS, "").name for n in (1, 2, 3)] == ["one", "one", "two"]


def test_a_call_above_the_limit_is_refused_with_the_numbers() -> None:
    limits = Limits(lambda _account, _model: 25)
    with pytest.raises(Refusal) as caught:
        _hold_places(limits, 26)
    assert caught.value.body == (
        b'{"error":{"message":"Too many requests. Your current concurrency is 26, which exceeds your '
        b"concurrency limit of 25 based on your remaining balance. Please top up your balance to restore "
        b'your concurrency.","type":"rate_limit_error","param":null,"code":"invalid_request_error"}}'
    )
    assert caught.value.headers == {}
    assert (limits.in_flight("one", "deepseek-flash"), limits.peak("one", "deepseek-flash")) == (0, 25)


def _hold_places(limits: Limits, count: int) -> None:
    if count:
        with limits.place("one", "deepseek-flash"):
            _hold_places(limits, count - 1)


def test_an_empty_account_and_a_busy_service_have_their_known_bodies() -> None:
    assert insufficient_balance().body == (
        b'{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,'
        b'"code":"invalid_request_error"}}'
    )
    assert too_busy().body == (
        b'{"error":{"message":"Service is too busy. We advise users to temporarily switch to alternative '
        b'LLM API service providers.","type":"service_unavailable_error","param":null,'
        b'"code":"service_unavailable_error"}}'
    )


@pytest.mark.parametrize("status", [400, 401, 402, 422, 429, 500, 503])
def test_every_documented_status_can_be_scripted(status: int) -> None:
    refusal = of_status(status, 25, "request")
    assert refusal.status == status
    assert orjson.loads(refusal.body)["error"]["message"]


BAD_REQUESTS = [
    (
        {"model": "deepseek-chat"},
        "The supported API model names are deepseek-flash, deepseek-v4-pro, but you passed deepseek-chat.",
    ),
    ({"n": 2}, "Invalid n value (currently only n = 1 is supported)"),
    ({"max_tokens": 0}, "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]"),
    ({"max_tokens": 393217}, "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]"),
    (
        {"temperature": 2.1, "thinking": {"type": "disabled"}},
        "Invalid temperature value, the valid range of temperature is [0, 2]",
    ),
    ({"top_p": 0}, "Invalid top_p value, the valid range of top_p is (0, 1.0]"),
    ({"stop": ["x"] * 17}, "Stop string array too long: 17"),
    (
        {"response_format": {"type": "json_object"}},
        "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'.",
    ),
    (
        {"messages": [USER, CALLING, USER]},
        (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. (insufficient tool messages following tool_calls message)"
        ),
    ),
    (
        {"messages": [USER, {"role": "tool", "tool_call_id": "x", "content": "1"}]},
        "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
    ),
    (
        {
            "tools": [TOOL],
            "messages": [USER, CALLING, {"role": "tool", "tool_call_id": "call_00_a", "content": "1"}],
        },
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
    ),
]


@pytest.mark.parametrize(("changes", "text"), BAD_REQUESTS, ids=[text[:40] for _, text in BAD_REQUESTS])
def test_a_bad_request_is_refused_with_the_words_of_the_real_api(changes: dict[str, Any], text: str) -> None:
    assert refused(chat(**changes)) == (400, "application/octet-stream", text)


def test_prompt_and_answer_must_fit_the_context_together() -> None:
    content = "a" * 3_500_000
    _, _, text = refused(chat(messages=[{"role": "user", "content": content}], max_tokens=8))
    assert text == (
        "This model's maximum context length is 1048576 tokens. However, you requested 1050012 tokens "
        "(1050004 in the messages, 8 in the completion)."
    )


ROLES = "`system`, `user`, `assistant`, `tool`"
WRONG_TYPES = [
    ({"thinking": False}, "thinking: invalid type: boolean `false`, expected struct ThinkingOptions"),
    ({"model": 1}, "model: invalid type: integer `1`, expected a string"),
    ({"max_tokens": "5"}, 'max_tokens: invalid type: string "5", expected u32'),
    ({"max_tokens": -1}, "max_tokens: invalid value: integer `-1`, expected u32"),
    (
        {"messages": [{"role": "developer", "content": "x"}]},
        f"messages[0].role: unknown variant `developer`, expected one of {ROLES}",
    ),
    ({"messages": [{"role": "user"}]}, "messages[0]: missing field `content`"),
    ({"stop": [1]}, "stop: invalid type: integer `1`, expected a string"),
]


@pytest.mark.parametrize(("changes", "text"), WRONG_TYPES, ids=[text[:40] for _, text in WRONG_TYPES])
def test_a_wrong_type_is_refused_with_422(changes: dict[str, Any], text: str) -> None:
    status, content_type, message = refused(chat(**changes))
    assert (status, content_type) == (422, "application/json")
    begin = "Failed to deserialize the JSON body into the target type"
    assert message.startswith(f"{begin}: {text} at line 1 column ")


def test_a_422_points_behind_the_bad_value() -> None:
    raw = b'{"model":"deepseek-flash","thinking":false,"messages":[]}'
    behind = raw.index(b',"messages"')
    assert refused(raw)[2].endswith(f"at line 1 column {behind}")


def test_what_is_no_json_is_refused_with_400() -> None:
    status, _, message = refused(b'{"model":')
    assert status == 400
    assert message.startswith("Failed to parse the request body as JSON")


def test_unknown_fields_and_a_temperature_while_thinking_are_let_through() -> None:
    request = validated_chat(chat(enable_thinking=True, temperature=9), Rules())
    assert request.thinks


def test_aliases_are_served_by_flash() -> None:
    assert validated_chat(chat(model="deepseek-v4-flash"), Rules()).model == "deepseek-flash"


def test_prefix_completion_needs_the_beta_address() -> None:
    messages = [USER, {"role": "assistant", "content": "Well", "prefix": True}]
    assert refused(chat(messages=messages))[0] == 400
    assert validated_chat(chat(messages=messages), Rules(beta=True)).prefix


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({"thinking": {"type": "disabled"}}, 8192),
        ({}, 65_536),
        ({"reasoning_effort": "ultra"}, 131_072),
        ({"max_tokens": 7}, 7),
    ],
)
def test_the_room_for_an_answer_depends_on_thinking(changes: dict[str, Any], most: int) -> None:
    assert validated_chat(chat(**changes), Rules()).max_tokens == most


def test_fim_writes_4096_tokens_at_most() -> None:
    with pytest.raises(Refusal) as caught:
        validated_fim(orjson.dumps({"model": "deepseek-flash", "prompt": "x", "max_tokens": 4097}))
    assert _told(caught.value)[2] == "Invalid max_tokens value, the valid range of max_tokens is [1, 4096]"
