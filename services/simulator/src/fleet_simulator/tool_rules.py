"""Rules for functions and for conversations in which they were called."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from fleet_simulator.context import Json
from fleet_simulator.refusals import USE_BETA
from fleet_simulator.requests import ChatRequest
from fleet_simulator.strict_schema import broken_strict_rules

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. (insufficient tool messages following tool_calls message)"
)
_UNASKED = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
_NO_REASONING = "The `reasoning_content` in the thinking mode must be passed back to the API."
_NO_CHOICE = "Thinking mode does not support this tool_choice"
_STRICT_NEEDS_BETA = f"strict function calling is only available when using beta api {USE_BETA}"
_STRICT_FOR_ALL = "strict must be set to true for all functions or for none"


@dataclass(frozen=True, slots=True)
class Rules:
    """Which rules hold for a call.

    Attributes:
        beta: It came to the beta address.
        every_reasoning: Every earlier turn's reasoning is wanted wherever tools are on offer, as the guide
            says; otherwise only while a tool call goes on, as was seen.
    """

    beta: bool = False
    every_reasoning: bool = False


def broken_tool_rules(request: ChatRequest, rules: Rules) -> Iterator[str]:
    """The texts of the rules that a request breaks, in the order in which they are looked at."""
    functions = [cast("Json", tool["function"]) for tool in request.tools]
    yield from _broken_names([function["name"] for function in functions])
    yield from _broken_parameters(functions)
    yield from _broken_strictness(functions, rules)
    if request.thinks and _forces_a_call(request.body.get("tool_choice")):
        yield _NO_CHOICE
    yield from _broken_exchanges(request.messages)
    if _lacks_reasoning(request, rules):
        yield _NO_REASONING


def _broken_names(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if not _NAME.fullmatch(name):
            yield f"Invalid 'tools': function name '{name}' does not match '^[a-zA-Z0-9_-]+$'"
    if len(set(names)) != len(names):
        yield "Tool names must be unique."


def _broken_parameters(functions: Sequence[Json]) -> Iterator[str]:
    for function in functions:
        parameters = function.get("parameters")
        if parameters is None:
            continue
        named = cast("Json", parameters).get("type") if isinstance(parameters, dict) else None
        if named != "object":
            got = "null" if named is None else orjson.dumps(named).decode()
            yield (
                f"Invalid schema for function '{function['name']}': schema must be a JSON Schema of "
                f"'type: \"object\"', got 'type: {got}'."
            )


def _broken_strictness(functions: Sequence[Json], rules: Rules) -> Iterator[str]:
    strict = [function for function in functions if function.get("strict") is True]
    if not strict:
        return
    if not rules.beta:
        yield _STRICT_NEEDS_BETA
    if len(strict) != len(functions):
        yield _STRICT_FOR_ALL
    for function in strict:
        if function.get("parameters") is not None:
            yield from broken_strict_rules(function["parameters"])


def _forces_a_call(choice: object) -> bool:
    return choice == "required" or isinstance(choice, dict)


def _broken_exchanges(messages: Sequence[Json]) -> Iterator[str]:
    open_ids: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_ids:
                yield _UNASKED
            open_ids.discard(message["tool_call_id"])
        elif open_ids:
            yield _UNANSWERED
        if calls := message.get("tool_calls"):
            open_ids = {call.get("id", "") for call in cast("list[dict[str, Any]]", calls)}
    if open_ids:
        yield _UNANSWERED


def _lacks_reasoning(request: ChatRequest, rules: Rules) -> bool:
    if not (request.thinks and request.tools and request.messages):
        return False
    # Seen to fire only while a tool exchange goes on; conversations that end with a user were let through.
    if not rules.every_reasoning and request.messages[-1]["role"] != "tool":
        return False
    said = (message for message in request.messages if message["role"] == "assistant")
    return any(not message.get("reasoning_content") for message in said if not message.get("prefix"))
