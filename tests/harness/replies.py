"""The replies of a fleet as they cross the wire, for tests that play the fleet."""

from hashlib import sha256
from typing import Any

import orjson

Json = dict[str, Any]


def accepted(cid: str, attempt: int = 1) -> Json:
    return {"id": f"{cid}:accepted", "kind": "accepted", "attempt": attempt, "queued_ms": 3, "worker": "w1"}


def waiting(cid: str, number: int) -> Json:
    return {"id": f"{cid}:waiting:{number}", "kind": "waiting", "position": number, "estimate_ms": None}


def chunk(cid: str, seq: int, content: str = "", *, attempt: int = 1, run: str = "r1", **delta: Any) -> Json:
    return {
        "id": f"{cid}:{run}:{attempt}:{seq}",
        "kind": "chunk",
        "attempt": attempt,
        "seq": seq,
        "delta": {**({"content": content} if content else {}), **delta},
    }


def restarted(cid: str, attempt: int, run: str, reason: str = "worker_lost") -> Json:
    return {
        "id": f"{cid}:{run}:{attempt}:restarted",
        "kind": "restarted",
        "attempt": attempt,
        "reason": reason,
    }


def result(cid: str, text: str, *, attempt: int = 1, last_seq: int = -1, **changes: Any) -> Json:
    reasoning: str | None = changes.pop("reasoning", None)
    message = {"role": "assistant", "content": text, "reasoning_content": reasoning}
    return {
        "id": f"{cid}:final",
        "kind": "result",
        "attempt": attempt,
        "last_seq": last_seq,
        "response": _completion({**message, "tool_calls": changes.pop("tool_calls", None)}),
        "digests": {"content": digest(text), "reasoning_content": digest(reasoning or "")},
        "timings": {
            "queued_ms": 1,
            "permit_ms": 2,
            "first_content_ms": 3,
            "upstream_ms": 4,
            "total_ms": 5,
        },
        "cost": {"amount": "0.000123", "currency": "USD", "estimated": False},
        "attempts": attempt,
        "degraded": False,
        **changes,
    }


def fim_result(cid: str, text: str) -> Json:
    response = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "deepseek-flash",
        "choices": [{"index": 0, "text": text, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
    return {**result(cid, text), "response": response, "digests": {"content": digest(text)}}


def failure(cid: str, code: str, **changes: Any) -> Json:
    return {
        "id": f"{cid}:final",
        "kind": "failure",
        "code": code,
        "message": f"It ended as {code}. Do something about it.",
        "retryable": False,
        "attempts": 1,
        **changes,
    }


def refusal(cid: str, message_id: str, code: str = "idempotency_conflict") -> Json:
    return failure(cid, code, id=f"{cid}:refused:{message_id}", attempts=0)


def encoded(reply: Json) -> bytes:
    return orjson.dumps(reply)


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


_USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def _completion(message: Json) -> Json:
    finish_reason = "tool_calls" if message["tool_calls"] else "stop"
    return {
        "id": "cc-1",
        "object": "chat.completion",
        "created": 1,
        "model": "deepseek-flash",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": _USAGE,
        "a_field_of_next_year": True,
    }
