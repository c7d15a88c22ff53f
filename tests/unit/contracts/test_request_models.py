"""Bodies of requests: what is checked before a call is paid, and what is passed on untouched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fleet_contracts.request import CancelRequest, ChatRequest, FimRequest

CANARY = "xyzzy-canary"
CHAT: dict[str, Any] = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "hi"}]}
FIM: dict[str, Any] = {"model": "deepseek-flash", "prompt": "def f():"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def told(model: type[ChatRequest] | type[FimRequest], body: Any) -> str:
    """Everything that whoever logs the error could write down, except the input that pydantic was given."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    error = caught.value
    return f"{error} {error.errors(include_input=False)}"


@pytest.mark.parametrize(
    ("name", "thinking"), [("deepseek-chat", '"disabled"'), ("deepseek-reasoner", '"enabled"')]
)
def test_a_retired_model_is_refused_with_its_successor_and_the_thinking_setting(name: str, thinking: str):
    message = told(ChatRequest, CHAT | {"model": name})
    assert name in message
    assert "deepseek-flash" in message
    assert thinking in message


@pytest.mark.parametrize("name", ["deepseek-flash", "deepseek-v4-pro", "deepseek-v4-flash", "a-later-model"])
def test_any_other_model_is_passed_on(name: str):
    assert ChatRequest.model_validate(CHAT | {"model": name}).model == name


@pytest.mark.parametrize(
    "broken",
    [
        {"messages": CANARY},
        {"messages": [CANARY]},
        {"messages": [{"role": CANARY, "content": CANARY}]},
        {"messages": [{"role": "user", "content": {"text": CANARY}}]},
        {"messages": [{"role": "user", "content": [CANARY]}]},
        {"model": [CANARY]},
        {"model": CANARY * 100},
        {"thinking": CANARY},
        {"thinking": {"type": CANARY}},
        {"response_format": {"type": CANARY}},
        {"tools": [CANARY]},
        {"tool_choice": [CANARY]},
        {"stop": {CANARY: CANARY}},
        {"stream": CANARY},
        {"temperature": CANARY},
        {"max_tokens": CANARY},
        {"user_id": [CANARY]},
    ],
    ids=str,
)
def test_an_error_never_repeats_the_caller_s_text(broken: dict[str, Any]):
    assert CANARY not in told(ChatRequest, CHAT | broken)


@given(field=st.sampled_from(sorted(ChatRequest.model_fields)), value=JSON)
def test_whatever_a_field_holds_its_error_names_the_field_and_not_the_value(field: str, value: Any):
    marked = {"marked": [CANARY, value]}
    try:
        ChatRequest.model_validate(CHAT | {field: marked})
    except ValidationError as error:
        text = f"{error} {error.errors(include_input=False)}"
        assert field in text
        assert CANARY not in text


@given(name=st.text().filter(lambda name: name not in ChatRequest.model_fields), value=JSON)
def test_a_field_that_nobody_knows_yet_is_kept(name: str, value: Any):
    read = ChatRequest.model_validate(CHAT | {name: value})
    assert read.model_dump(exclude_unset=True)[name] == value


def test_null_is_as_good_as_leaving_a_field_out():
    optional = {name: None for name in ChatRequest.model_fields if name not in CHAT}
    assert ChatRequest.model_validate(CHAT | optional) == ChatRequest.model_validate(CHAT)


@pytest.mark.parametrize(
    ("model", "valid"), [(ChatRequest, CHAT), (FimRequest, FIM)], ids=["chat.v1", "fim.v1"]
)
def test_what_is_required_is_missed(model: type[ChatRequest] | type[FimRequest], valid: dict[str, Any]):
    for name in valid:
        rest = {field: value for field, value in valid.items() if field != name}
        assert name in told(model, rest)


@pytest.mark.parametrize("value", ["1", 1.5, True])
def test_a_number_of_the_wrong_type_is_not_bent_into_shape(value: object):
    assert "max_tokens" in told(ChatRequest, CHAT | {"max_tokens": value})


def test_an_assistant_message_may_have_tool_calls_in_place_of_text():
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_00_a", "type": "function"}]}
    read = ChatRequest.model_validate(CHAT | {"messages": [*CHAT["messages"], message]})
    assert read.messages[-1].tool_calls == message["tool_calls"]


def test_a_cancel_s_body_says_nothing():
    assert CancelRequest.model_validate({"reason": "changed my mind"}) == CancelRequest()
