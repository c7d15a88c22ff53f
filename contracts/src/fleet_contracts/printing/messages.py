"""The messages of the AsyncAPI document."""

from typing import Any

from fleet_contracts.grammar import CANCEL_TYPE, RequestType
from fleet_contracts.printing.examples import Example, Examples
from fleet_contracts.reply import KINDS, message_type

Json = dict[str, Any]

REQUESTS = tuple(str(kind) for kind in RequestType)
REPLIES = tuple(message_type(kind) for kind in KINDS)
CANCEL = CANCEL_TYPE
DEAD_LETTER = "dead_letter.v1"

_SUMMARIES = {
    "chat.v1": "Asks for a chat completion: the body of DeepSeek's POST /chat/completions",
    "fim.v1": "Asks for the text of a gap: the body of DeepSeek's POST /beta/completions",
    "conversation.v1": "Reads or clears a conversation that the fleet keeps; DeepSeek is not asked",
    "cancel.v1": "Says that an answer is no longer wanted",
    "accepted.v1": "The first attempt of a streamed request has started",
    "waiting.v1": "The request waits for a permit",
    "chunk.v1": "A piece of a streamed answer",
    "restarted.v1": "A new attempt has begun: drop the text of earlier ones",
    "result.v1": "Terminal: the whole answer",
    "history.v1": "Terminal: the conversation that a conversation.v1 asked for",
    "failure.v1": "Terminal: why there is no answer, or why one publish was refused",
    "dead_letter.v1": "A message that was put aside, byte for byte, with a record of why",
}


def messages(examples: Examples) -> Json:
    """Every message, by its AMQP type."""
    return {name: _message(name, summary, examples) for name, summary in _SUMMARIES.items()}


def _message(name: str, summary: str, examples: Examples) -> Json:
    properties, headers = _envelope(name)
    message: Json = {
        "name": name,
        "title": name,
        "summary": summary,
        "contentType": "application/json",
        "headers": {"$ref": f"./schemas/{properties}.json#/$defs/{headers}"},
        "correlationId": {
            "location": "$message.header#/correlation_id",
            "description": "The AMQP property correlation_id, the same in a request and its replies",
        },
        "bindings": {"amqp": {"messageType": name, "bindingVersion": "0.3.0"}},
        "examples": [_example(case, example) for case, example in examples.get(name, {}).items()],
        "x-amqp-properties": {"$ref": f"./schemas/{properties}.json"},
    }
    if name == DEAD_LETTER:
        del message["bindings"]
        return {**message, "payload": {"description": "Whatever was published, JSON or not"}}
    return {**message, "payload": {"$ref": f"./schemas/{name}.json"}}


def _envelope(name: str) -> tuple[str, str]:
    if name in REPLIES:
        return "reply.properties.v1", "ReplyHeaders"
    if name == CANCEL:
        return "cancel.properties.v1", "CancelHeaders"
    if name == DEAD_LETTER:
        return "dead_letter.properties.v1", "DeadLetterHeaders"
    return "request.properties.v1", "RequestHeaders"


def _example(case: str, example: Example) -> Json:
    return {
        "name": case,
        "headers": example["properties"].get("headers", {}),
        "payload": example["body"] if "body" in example else example["body_text"],
    }
