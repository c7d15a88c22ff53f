"""Rules for functions and for conversations in which they were called."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from fleet_simulator.requests import ChatRequest, Json

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. (insufficient tool messages following tool_calls message)"
)
_UNASKED = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
_NO_REASONING = "The `reasoning_content` in the thinking mode must be passed back to the API."


def broken_tool_rules(request: ChatRequest) -> Iterator[str]:
    """The texts of the rules that a request breaks, in the order in which they are looked at."""
    yield from _broken_names(request.tools)
    if request.thinks and _forces_a_call(request.body.get("tool_choice")):
        yield "tool_choice 'required' and named functions are not supported in the thinking mode"
    yield from _broken_exchanges(request.messages)
    if _lacks_reasoning(request):
        yield _NO_REASONING


def _broken_names(tools: Sequence[Json]) -> Iterator[str]:
    names = [tool["function"]["name"] for tool in tools]
    for name in names:
        if not _NAME.fullmatch(name):
            yield f"Invalid 'tools': function name '{name}' does not match '^[a-zA-Z0-9_-]+$'"
    if len(set(names)) != len(names):
        yield "Tool names must be unique."


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


def _lacks_reasoning(request: ChatRequest) -> bool:
    # Seen to fire only while a tool exchange goes on; conversations that end with a user were let through.
    if not (request.thinks and request.tools and request.messages):
        return False
    if request.messages[-1]["role"] != "tool":
        return False
    said = (message for message in request.messages if message["role"] == "assistant")
    return any(not message.get("reasoning_content") for message in said)
