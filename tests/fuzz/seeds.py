"""What fuzzing starts from: messages as they are."""

import orjson

from harness import replies as wire
from harness.requests import BODY
from harness.upstream import chat_stream, chunk, event

TOOL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USAGE = {"prompt_tokens": 3, "prompt_cache_hit_tokens": 1, "completion_tokens": 2}
WHOLE = {
    "choices": [{"index": 0, "message": {"content": "Hi", "tool_calls": [TOOL]}, "finish_reason": "stop"}],
    "usage": USAGE,
}
LOGPROBS = {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [{"token": "a"}]}}]}
STREAM = b"".join(
    [
        b": keep-alive\n\n",
        *chat_stream()[:-2],
        event(chunk({"reasoning_content": "Hm"})),
        event(chunk({"tool_calls": [TOOL]})),
        event(LOGPROBS),
        event(chunk({}, "stop", usage=USAGE)),
        b"data: [DONE]\n\n",
    ]
)
FIM = event({"choices": [{"text": "a"}]}) + event({"choices": [{"text": "", "finish_reason": "stop"}]})
DEATH = [{"reason": "expired", "queue": "deepseek.requests", "routing-keys": ["batch.acme"], "count": 1}]
HEADERS = {
    "fleet-tenant": "acme",
    "fleet-retry": 1,
    "fleet-deadline-ms": 1_795_000_000_000,
    "fleet-waiting": True,
    "fleet-on-break": "continue",
    "fleet-parked-message-id": "m",
    "fleet-parked-until-ms": 5,
    "x-death": DEATH,
    "x-delivery-count": 3,
}
REPLIES = (
    wire.accepted("c-1"),
    wire.waiting("c-1", 1),
    wire.chunk("c-1", 0, "Hi"),
    wire.chunk("c-1", 2, "!"),
    wire.chunk("c-1", 1, " there"),
    wire.restarted("c-1", 2, "r2"),
    wire.chunk("c-1", 0, "Hi", attempt=2, run="r2"),
    wire.result("c-1", "Hi there!", attempt=2, last_seq=0),
)


def _envelope(headers: object, reply_to: bytes, user: bytes, body: bytes) -> bytes:
    parts = (b"", orjson.dumps(headers), b"batch.acme", b"c-1", reply_to, b"chat.v1", b"m-1", user, b"", body)
    return b"\x00".join(parts)


SEEDS: dict[str, tuple[bytes, ...]] = {
    "event_reader": (STREAM, STREAM.replace(b"\n", b"\r\n"), b"\xef\xbb\xbfdata: a\ndata\r\rid: 1\n\n"),
    "answer": (STREAM, FIM + b"data: [DONE]\n\n", orjson.dumps(WHOLE), b"\n\n" + orjson.dumps(WHOLE)),
    "envelope": (
        _envelope(HEADERS, b"deepseek.reply.acme.1", b"acme", orjson.dumps(BODY)),
        _envelope({}, b"amq.rabbitmq.reply-to", b"fleet-operator", orjson.dumps(BODY)),
        _envelope(HEADERS, b"", b"", b'{"model":"deepseek-flash","prompt":"a","suffix":"b"}'),
    ),
    "inbox": (
        b"\n".join(map(wire.encoded, REPLIES)),
        b'{"kind":"failure","id":"c-1:refused:m-1","code":"newer","message":"m","retryable":false,"attempts":0}',
    ),
}
