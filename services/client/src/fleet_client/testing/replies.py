"""Spells a scripted reply as the fleet would send it, so that the real client reads it."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import orjson

from fleet_client.request import Request
from fleet_client.testing.script import Fails, Says, Silence
from fleet_contracts import EXPLANATIONS, ErrorCode, RequestType
from fleet_contracts.reply import accepted_id, chunk_id, final_id, refused_id, restarted_id

Json = dict[str, Any]

_RUN = "fake"
_WORKER = "fake-worker"
_COST = {"amount": "0", "currency": "USD", "estimated": True}


def replies_before(request: Request, reply: Says | Fails) -> list[bytes]:
    """Every reply to a request but the terminal one, in order."""
    body: Json = orjson.loads(request.body)
    found = list(_waiting(request, reply)) + (
        list(_streamed(request, reply)) if body.get("stream") is True else []
    )
    return [orjson.dumps(each) for each in found]


def end_of(request: Request, reply: Says | Fails, conversation: Json | None = None) -> bytes:
    """The terminal reply; of a turn, with the conversation that it is in."""
    if isinstance(reply, Fails):
        return orjson.dumps(_failure(request, reply))
    place = {} if conversation is None else {"conversation": conversation}
    return orjson.dumps({**_result(request, orjson.loads(request.body), reply), **place})


def history_of(request: Request, conversation: Json, messages: list[Json]) -> bytes:
    """The terminal reply to a `conversation.v1`."""
    head = {"kind": "history", "id": final_id(request.id_base)}
    return orjson.dumps({**head, "conversation": conversation, "messages": messages})


def beginning_of(request: Request, reply: Silence) -> list[bytes]:
    """What comes of a request before silence falls: only a stream shows something."""
    body: Json = orjson.loads(request.body)
    if not (reply.partial and body.get("stream") is True):
        return []
    return [orjson.dumps(each) for each in _streamed(request, reply)]


def refusal_of(request: Request, message_id: str) -> bytes:
    """The refusal of a publish under an ID that belongs to another request."""
    code = ErrorCode.IDEMPOTENCY_CONFLICT
    return orjson.dumps(
        {**_failure(request, Fails(code)), "id": refused_id(request.id_base, message_id), "attempts": 0}
    )


def _waiting(request: Request, reply: Says | Fails) -> Iterator[Json]:
    if isinstance(reply, Says) and "fleet-waiting" in request.headers:
        for number, position in enumerate(reply.waits):
            fleet_id = f"{request.id_base}:waiting:{number}"
            yield {"kind": "waiting", "id": fleet_id, "position": position, "estimate_ms": None}


def _streamed(request: Request, reply: Says | Fails | Silence) -> Iterator[Json]:
    base = request.id_base
    yield {"kind": "accepted", "id": accepted_id(base), "attempt": 1, "queued_ms": 0, "worker": _WORKER}
    if isinstance(reply, Fails | Silence):
        yield from _chunks(request, 1, [{"content": reply.partial}] if reply.partial else [])
        return
    for attempt, text in enumerate(reply.broken, start=1):
        yield from _chunks(request, attempt, [{"content": text}])
        yield {
            "kind": "restarted",
            "id": restarted_id(base, _run(attempt + 1), attempt + 1),
            "attempt": attempt + 1,
            "reason": "worker_lost",
        }
    yield from _chunks(request, _attempts(reply), _deltas(reply))


def _deltas(reply: Says) -> list[Json]:
    return [
        *([{"reasoning_content": reply.reasoning}] if reply.reasoning else []),
        *({"content": piece} for piece in reply.pieces),
        *({"tool_calls": [{"index": index, **call}]} for index, call in enumerate(reply.tool_calls)),
    ]


def _chunks(request: Request, attempt: int, deltas: list[Json]) -> Iterator[Json]:
    for seq, delta in enumerate(deltas):
        fleet_id = chunk_id(request.id_base, _run(attempt), attempt, seq)
        yield {"kind": "chunk", "id": fleet_id, "attempt": attempt, "seq": seq, "delta": delta}


def _result(request: Request, body: Json, reply: Says) -> Json:
    text = "".join(reply.pieces)
    return {
        "kind": "result",
        "id": final_id(request.id_base),
        "attempt": _attempts(reply),
        "attempts": _attempts(reply),
        "last_seq": len(_deltas(reply)) - 1 if body.get("stream") is True else -1,
        "response": _response(request, body, reply, text),
        "digests": {"content": _digest(text), "reasoning_content": _digest(reply.reasoning)},
        "timings": {"queued_ms": 0, "permit_ms": 0, "first_content_ms": 0, "upstream_ms": 0, "total_ms": 0},
        "cost": _COST,
        "degraded": False,
    }


def _response(request: Request, body: Json, reply: Says, text: str) -> Json:
    finish_reason = reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")
    choice: Json = {"index": 0, "finish_reason": finish_reason}
    is_fim = request.type is RequestType.FIM
    message: Json = {"role": "assistant", "content": text, "reasoning_content": reply.reasoning or None}
    if reply.tool_calls:
        message["tool_calls"] = [{"type": "function", **call} for call in reply.tool_calls]
    words = len(text.split())
    return {
        "id": f"fake-{request.id_base}",
        "object": "text_completion" if is_fim else "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [choice | ({"text": text} if is_fim else {"message": message})],
        "usage": {"prompt_tokens": 1, "completion_tokens": words, "total_tokens": 1 + words},
    }


def _failure(request: Request, reply: Fails) -> Json:
    known = set(ErrorCode)
    code = ErrorCode(reply.code) if reply.code in known else ErrorCode.INTERNAL
    return {
        "kind": "failure",
        "id": final_id(request.id_base),
        "code": str(reply.code),
        "message": reply.message or EXPLANATIONS[code].advice,
        "retryable": code.retryable if reply.retryable is None else reply.retryable,
        "attempts": 1,
        "upstream": reply.upstream,
        "partial": {"content": reply.partial} if reply.partial else None,
    }


def _attempts(reply: Says) -> int:
    return len(reply.broken) + 1


def _run(attempt: int) -> str:
    return f"{_RUN}{attempt}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
