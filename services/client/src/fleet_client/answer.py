"""What a call returns."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fleet_client.errors import Internal
from fleet_contracts import Conversation, Cost, Result, TextCompletion, Timings, Usage
from fleet_contracts.completion import ToolCall


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `print(answer)` shows its text; its `repr` shows none, so that a log can hold it.

    Attributes:
        id: the request's correlation ID.
        text: the answer itself.
        reasoning: what the model thought before it, empty where it did not think.
        tool_calls: the calls of your tools that the model asks you to run.
        finish_reason: `stop`, `length` (cut by `max_tokens`), `tool_calls` or `content_filter`.
        usage: DeepSeek's own count of tokens, where it sent one.
        cost: what the answer cost by DeepSeek's price list.
        timings: where the time went, in milliseconds.
        attempts: calls of DeepSeek that were started for this request.
        degraded: the stream lost chunks on its way; this answer is whole all the same.
        response: DeepSeek's own object, as it would have come unstreamed.
        conversation: of a turn, the conversation's id and the version that this turn made.
    """

    id: str
    text: str = field(repr=False)
    reasoning: str = field(repr=False)
    tool_calls: tuple[ToolCall, ...] = field(repr=False)
    finish_reason: str
    usage: Usage | None
    cost: Cost | None
    timings: Timings
    attempts: int
    degraded: bool
    response: dict[str, Any] = field(repr=False)
    conversation: Conversation | None = None

    def __str__(self) -> str:
        return self.text


def answer_from(result: Result, response: dict[str, Any], correlation_id: str) -> Answer:
    """The answer that a `result` of the wire stands for; `response` is its own, untouched."""
    text, reasoning, tool_calls = _parts(result)
    return Answer(
        id=correlation_id,
        text=text,
        reasoning=reasoning,
        tool_calls=tool_calls,
        finish_reason=result.response.choices[0].finish_reason,
        usage=result.response.usage,
        cost=result.cost,
        timings=result.timings,
        attempts=result.attempts,
        degraded=result.degraded,
        response=response,
        conversation=result.conversation,
    )


def is_intact(digests: dict[str, str], answer: Answer) -> bool:
    """Whether the answer has the digests that the fleet sent with it."""
    fields = {"content": answer.text, "text": answer.text, "reasoning_content": answer.reasoning}
    return all(
        sha256(text.encode()).hexdigest() == digests[name] for name, text in fields.items() if name in digests
    )


def torn(answer: Answer) -> Internal:
    """The error that stands in for an answer that is not intact."""
    return Internal(
        "The answer does not match its own digest, so it was changed on its way. Ask again.",
        correlation_id=answer.id,
        attempts=answer.attempts,
    )


def _parts(result: Result) -> tuple[str, str, tuple[ToolCall, ...]]:
    if isinstance(result.response, TextCompletion):
        return result.response.choices[0].text, "", ()
    message = result.response.choices[0].message
    return message.content or "", message.reasoning_content or "", tuple(message.tool_calls or ())
