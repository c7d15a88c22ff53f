"""The one JSON document of an answer that is not streamed."""

from fleet_simulator.answers import Answer, ToolCall
from fleet_simulator.chunks import Envelope
from fleet_simulator.context import turn
from fleet_simulator.logprobs import answer_logprobs
from fleet_simulator.usage import Usage


def chat_document(envelope: Envelope, answer: Answer, usage: Usage) -> dict[str, object]:
    """A `chat.completion`."""
    logprobs = None if envelope.logprobs is None else answer_logprobs(answer, envelope.logprobs)
    choice: dict[str, object] = {
        "index": 0,
        "message": _message(answer),
        "logprobs": logprobs,
        "finish_reason": answer.finish_reason,
    }
    return _document(envelope, "chat.completion", choice, usage)


def said_in(answer: Answer, *, with_tools: bool) -> str:
    """The answer as the next turn's context will hold it."""
    return turn(_message(answer), with_tools=with_tools)


def fim_document(envelope: Envelope, answer: Answer, usage: Usage) -> dict[str, object]:
    """A `text_completion`."""
    text = "".join(answer.content)
    choice: dict[str, object] = {
        "index": 0,
        "text": text,
        "logprobs": None,
        "finish_reason": answer.finish_reason,
    }
    return _document(envelope, "text_completion", choice, usage)


def _document(
    envelope: Envelope, object_name: str, choice: dict[str, object], usage: Usage
) -> dict[str, object]:
    return {**envelope.head(object_name), "choices": [choice], "usage": usage.as_json()}


def _message(answer: Answer) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": "".join(answer.content)}
    if answer.reasoning is not None:
        message["reasoning_content"] = "".join(answer.reasoning)
    if answer.tool_call:
        message["tool_calls"] = [_whole_call(answer.tool_call)]
    return message


def _whole_call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": "".join(call.fragments)}
    return {"index": 0, "id": call.id, "type": "function", "function": function}
