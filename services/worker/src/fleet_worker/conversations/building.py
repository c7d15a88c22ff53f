"""Pure: the messages that the upstream is sent for a turn, and those that the history keeps of it.

A prefix that stays the same from turn to turn is what DeepSeek's cache pays back, so nothing of what was sent
before is ever said in another way. Source: https://api-docs.deepseek.com/guides/kv_cache
"""

from collections.abc import Iterable
from itertools import takewhile
from typing import Any, cast

from fleet_worker.conversations.history import Message, Said

NO_RESULT = "There is no result: the caller went on without it."
_OF_AN_ANSWER = ("role", "content", "reasoning_content", "tool_calls")


def leading_system(messages: list[Message]) -> tuple[list[Message], list[Message]]:
    """A turn's messages apart: the system prompt that it begins with, if any, and the rest."""
    system = list(takewhile(lambda message: message.get("role") == "system", messages))
    return system, messages[len(system) :]


def answering_open_calls(turns: list[Said], new: list[Message]) -> list[Message]:
    """`new`, with a result for each call of the last answer that it leaves open.

    DeepSeek refuses a chat in which a call has no result, so that a caller that went away between a call and
    its result would have ended its conversation for good.
    """
    last = turns[-1].messages[-1] if turns else {}
    calls = cast("list[dict[str, Any]]", last.get("tool_calls") or [])
    given = list(takewhile(lambda message: message.get("role") == "tool", new))
    answered = {message.get("tool_call_id") for message in given}
    missing: list[Message] = [
        {"role": "tool", "tool_call_id": call.get("id"), "content": NO_RESULT}
        for call in calls
        if call.get("id") not in answered
    ]
    return [*given, *missing, *new[len(given) :]]


def upstream_messages(
    system: list[Message], turns: Iterable[Said], new: list[Message], *, reasoning: bool
) -> list[Message]:
    """What the upstream reads.

    Args:
        system: the system prompt.
        turns: what was said before, as far as it is sent.
        new: what this turn adds.
        reasoning: whether thinking is passed back: DeepSeek demands that of every answer where the request
            has tools, and leaves it out of the context where it has none.
            Source: https://api-docs.deepseek.com/guides/thinking_mode
    """
    before = [message for said in turns for message in said.messages]
    return [*system, *(before if reasoning else map(_without_reasoning, before)), *new]


def said_with(turn: str, new: list[Message], answer: Message) -> Said:
    """A turn for the history. A begun answer that was to be gone on from becomes one with its rest."""
    kept = {name: answer[name] for name in _OF_AN_ANSWER if answer.get(name) is not None}
    if calls := kept.get("tool_calls"):
        kept["tool_calls"] = [_without_index(call) for call in calls]
    begun = new[-1] if new and new[-1].get("prefix") is True else None
    if begun is not None:
        kept["content"] = f"{begun.get('content') or ''}{kept.get('content') or ''}"
        new = new[:-1]
    return Said(turn, [*new, {"role": "assistant", "content": None, **kept}])


def _without_reasoning(message: Message) -> Message:
    return {name: value for name, value in message.items() if name != "reasoning_content"}


def _without_index(call: Any) -> Any:
    return {name: value for name, value in call.items() if name != "index"}
