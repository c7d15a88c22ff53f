"""The messages of a streamed answer, byte for byte as on the wire."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from fleet_simulator.answers import Answer, ToolCall
from fleet_simulator.logprobs import chunk_logprobs
from fleet_simulator.usage import Usage

KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
_NULL = b"null"
_FINGERPRINT = "aeb56401ca74e127821c4f9126dcb669"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same on every chunk of a stream.

    Attributes:
        id: The completion's id, a UUID.
        created: Unix time in seconds.
        model: The model that answers.
        include_usage: Whether chunks without usage say `usage: null`.
        trailing_usage: Whether usage has a chunk of its own, OpenAI's way.
        logprobs: Alternatives for each token, or None for no log probabilities.
    """

    id: str
    created: int
    model: str
    include_usage: bool = False
    trailing_usage: bool = False
    logprobs: int | None = None

    def head(self, object_name: str) -> dict[str, object]:
        """The first keys of a chunk or of a whole completion, in the order of the wire."""
        return {
            "id": self.id,
            "object": object_name,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": _FINGERPRINT,
        }


@dataclass(frozen=True, slots=True)
class Mould:
    """A message with one hole for the delta (or the text) and one for the log probabilities.

    The rest is the same a thousand times over, so it is written once for each stream.
    """

    before: bytes
    between: bytes
    after: bytes

    def cast(self, delta: bytes, logprobs: bytes = _NULL) -> bytes:
        """A whole message."""
        return b"".join((self.before, delta, self.between, logprobs, self.after))


def chat_messages(envelope: Envelope, answer: Answer, usage: Usage) -> Iterator[bytes]:
    """The stream of a chat answer, `[DONE]` included."""
    mould = _mould(envelope, "chat.completion.chunk", b'"delta":')
    thinks = answer.reasoning is not None
    yield mould.cast(_preamble(thinks=thinks))
    for token in answer.reasoning or ():
        delta = b'{"content":null,"reasoning_content":%b}' % orjson.dumps(token)
        yield mould.cast(delta, _logprobs(envelope, token, reasoning=True, thinks=thinks))
    shape = b'{"content":%b,"reasoning_content":null}' if thinks else b'{"content":%b}'
    for token in answer.content:
        delta = shape % orjson.dumps(token)
        yield mould.cast(delta, _logprobs(envelope, token, reasoning=False, thinks=thinks))
    if answer.tool_call:
        yield from map(mould.cast, _tool_deltas(answer.tool_call))
    last = {"content": "", **({"reasoning_content": None} if thinks else {})}
    yield from _ending(envelope, "chat.completion.chunk", {"delta": last}, answer, usage)


def fim_messages(envelope: Envelope, answer: Answer, usage: Usage) -> Iterator[bytes]:
    """The stream of a fill-in-the-middle answer, `[DONE]` included."""
    mould = _mould(envelope, "text_completion", b'"text":')
    for token in answer.content:
        yield mould.cast(orjson.dumps(token))
    yield from _ending(envelope, "text_completion", {"text": ""}, answer, usage)


def chat_count(answer: Answer, *, trailing: bool) -> int:
    """How many messages `chat_messages` gives, `[DONE]` included."""
    opening = 2 if answer.tool_call else 1
    return opening + answer.completion_tokens + _closing(trailing=trailing)


def fim_count(answer: Answer, *, trailing: bool) -> int:
    """How many messages `fim_messages` gives, `[DONE]` included."""
    return answer.completion_tokens + _closing(trailing=trailing)


def error_message(message: str = "Internal server error") -> bytes:
    """An error object inside a stream that had begun as a 200."""
    error = {"message": message, "type": "internal_server_error", "param": None, "code": None}
    return _data({"error": error})


def _closing(*, trailing: bool) -> int:
    return 3 if trailing else 2


def _data(document: object) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(document)


def _mould(envelope: Envelope, object_name: str, field: bytes) -> Mould:
    head = orjson.dumps(envelope.head(object_name))[:-1]
    usage = b',"usage":null' if envelope.include_usage else b""
    return Mould(
        before=b'data: %b,"choices":[{"index":0,%b' % (head, field),
        between=b',"logprobs":',
        after=b',"finish_reason":null}]%b}\n\n' % usage,
    )


def _preamble(*, thinks: bool) -> bytes:
    if thinks:
        return b'{"role":"assistant","content":null,"reasoning_content":""}'
    return b'{"role":"assistant","content":""}'


def _logprobs(envelope: Envelope, token: str, *, reasoning: bool, thinks: bool) -> bytes:
    if envelope.logprobs is None:
        return _NULL
    found = chunk_logprobs(token, reasoning=reasoning, thinks=thinks, alternatives=envelope.logprobs)
    return orjson.dumps(found)


def _tool_deltas(call: ToolCall) -> Iterator[bytes]:
    function = {"name": call.name, "arguments": ""}
    opening = {"index": 0, "id": call.id, "type": "function", "function": function}
    yield orjson.dumps({"tool_calls": [opening]})
    for fragment in call.fragments:
        yield orjson.dumps({"tool_calls": [{"index": 0, "function": {"arguments": fragment}}]})


def _ending(
    envelope: Envelope, object_name: str, text: dict[str, object], answer: Answer, usage: Usage
) -> Iterator[bytes]:
    head, counted = envelope.head(object_name), {"usage": usage.as_json()}
    choice = {"index": 0, **text, "logprobs": None, "finish_reason": answer.finish_reason}
    if not envelope.trailing_usage:
        yield _data({**head, "choices": [choice], **counted})
    else:
        yield _data({**head, "choices": [choice], "usage": None})
        yield _data({**head, "choices": [], **counted})
    yield DONE
