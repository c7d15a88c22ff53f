"""Which functions, choices and histories are refused, and which are let through."""

from typing import Any

import orjson
import pytest

from fleet_simulator.refusals import Refusal
from fleet_simulator.tool_rules import Rules
from fleet_simulator.validation import validated_chat

USER = {"role": "user", "content": "Hello"}
BETA = Rules(beta=True)
DOCUMENTED = Rules(every_reasoning=True)


def tool(name: str = "f", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


def refusal(rules: Rules = BETA, **changes: Any) -> str | None:
    body = {"model": "deepseek-flash", "messages": [USER], "tools": [tool()], **changes}
    try:
        validated_chat(orjson.dumps(body), rules)
    except Refusal as refused:
        return orjson.loads(refused.body)["error"]["message"]
    return None


def said(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", **fields}


def calling(*ids: str, **fields: Any) -> dict[str, Any]:
    calls = [{"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids]
    return said(tool_calls=calls, **fields)


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "1"}


NAMED = {"type": "function", "function": {"name": "f"}}
OFF = {"type": "disabled"}


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
def test_a_call_can_be_forced_only_without_thinking(choice: object) -> None:
    assert refusal(tool_choice=choice) == "Thinking mode does not support this tool_choice"
    assert refusal(tool_choice=choice, thinking=OFF) is None


@pytest.mark.parametrize("choice", ["none", "auto", None])
def test_other_choices_are_let_through_while_thinking(choice: object) -> None:
    assert refusal(tool_choice=choice) is None


NO_REASONING = "The `reasoning_content` in the thinking mode must be passed back to the API."


@pytest.mark.parametrize(
    "history",
    [
        [USER, calling("a"), result("a")],
        [USER, calling("a", reasoning_content=""), result("a")],
        [USER, said(content="Hi"), USER, calling("a", reasoning_content="Hm"), result("a")],
    ],
    ids=["missing", "empty", "missing in an older turn"],
)
def test_while_a_tool_call_goes_on_the_reasoning_of_every_turn_is_wanted(history: list[Any]) -> None:
    assert refusal(messages=history) == NO_REASONING
    assert refusal(messages=history, thinking=OFF) is None
    assert refusal(messages=history, tools=None) is None


def test_a_history_that_ends_with_the_user_is_let_through_as_was_seen_unless_the_guide_is_followed() -> None:
    history = [USER, said(content="Hi"), USER]
    assert refusal(messages=history) is None
    assert refusal(DOCUMENTED, messages=history) == NO_REASONING
    assert refusal(DOCUMENTED, messages=[USER, said(content="Hi", reasoning_content="Hm"), USER]) is None


UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. (insufficient tool messages following tool_calls message)"
)
UNASKED = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
HM = {"reasoning_content": "Hm"}


@pytest.mark.parametrize(
    ("history", "text"),
    [
        ([USER, calling("a", **HM)], UNANSWERED),
        ([USER, calling("a", "b", **HM), result("a")], UNANSWERED),
        ([USER, calling("a", **HM), USER], UNANSWERED),
        ([USER, result("a")], UNASKED),
        ([USER, calling("a", **HM), result("b")], UNASKED),
        ([USER, calling("a", **HM), result("a"), result("a")], UNASKED),
        ([USER, calling("a", "b", **HM), result("b"), result("a")], None),
    ],
)
def test_every_call_is_answered_once_and_nothing_else_is(history: list[Any], text: str | None) -> None:
    assert refusal(messages=history) == text


@pytest.mark.parametrize(("parameters", "got"), [({}, "null"), ({"type": "string"}, '"string"')])
def test_parameters_must_be_an_object(parameters: object, got: str) -> None:
    assert refusal(tools=[tool(parameters=parameters)]) == (
        "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', "
        f"got 'type: {got}'."
    )


def test_a_function_without_parameters_is_let_through() -> None:
    assert refusal(tools=[tool()]) is None


def test_a_tool_without_its_type_is_a_422() -> None:
    body = {"model": "deepseek-flash", "messages": [USER], "tools": [{"function": {"name": "f"}}]}
    with pytest.raises(Refusal) as caught:
        validated_chat(orjson.dumps(body), BETA)
    assert caught.value.status == 422
    assert b"tools[0]: missing field `type` at line 1" in caught.value.body
