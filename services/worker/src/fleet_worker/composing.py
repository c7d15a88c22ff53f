"""Pure: the bodies of replies. Each is composed once and encoded once."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import MAX_REPLY_BYTES
from fleet_contracts.reply import (
    accepted_id,
    chunk_id,
    final_id,
    id_base,
    refused_id,
    restarted_id,
    waiting_id,
)
from fleet_worker.completion import Completion, CompletionError, Delta
from fleet_worker.ports import Sent
from fleet_worker.request import Addressed, Refusal, Request
from fleet_worker.terminal import Terminal


class Composed(NamedTuple):
    """A reply ready to be published; `attempt` and `seq` go into headers where it has them."""

    kind: str
    fleet_id: str
    body: bytes
    attempt: int | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Took:
    """Where the time of a request went, in milliseconds."""

    permit_ms: int
    total_ms: int


def compose_accepted(request: Request, attempt: int, worker: str) -> Composed:
    """`accepted`: the first attempt has started."""
    fleet_id = accepted_id(_base(request))
    body = {"attempt": attempt, "queued_ms": request.queued_ms, "worker": worker}
    return Composed("accepted", fleet_id, _encode("accepted", fleet_id, body), attempt)


def compose_waiting(request: Request, number: int, position: int, estimate_ms: int | None) -> Composed:
    """`waiting`: how many requests are before this one. `number` counts these replies, from 1."""
    fleet_id = waiting_id(_base(request), number)
    body = {"position": position, "estimate_ms": estimate_ms}
    return Composed("waiting", fleet_id, _encode("waiting", fleet_id, body))


def compose_restarted(request: Request, run: str, attempt: int, reason: str) -> Composed:
    """`restarted`: the text of earlier attempts is void."""
    fleet_id = restarted_id(_base(request), run, attempt)
    return Composed(
        "restarted", fleet_id, _encode("restarted", fleet_id, {"attempt": attempt, "reason": reason}), attempt
    )


def compose_chunk(request: Request, run: str, attempt: int, seq: int, delta: Delta) -> Composed:
    """`chunk`: one piece of the answer, or several joined."""
    fleet_id = chunk_id(_base(request), run, attempt, seq)
    body: dict[str, Any] = {"attempt": attempt, "seq": seq, "delta": delta.fields}
    if delta.logprobs:
        body["logprobs"] = delta.logprobs
    return Composed("chunk", fleet_id, _encode("chunk", fleet_id, body), attempt, seq)


def compose_result(
    request: Request, completion: Completion, sent: Sent, attempts: int, took: Took
) -> Terminal:
    """`result`: the whole answer, or a `too_large` failure where no reply could carry it."""
    fleet_id = final_id(_base(request))
    response = completion.response
    body: dict[str, Any] = {
        "attempt": attempts,
        "last_seq": sent.last_seq,
        "response": response,
        "digests": digests_of(response),
        "timings": {
            "queued_ms": request.queued_ms,
            "permit_ms": took.permit_ms,
            "first_content_ms": completion.first_content_ms,
            "upstream_ms": completion.upstream_ms,
            "total_ms": took.total_ms,
        },
        "cost": completion.cost,
        "account": completion.account,
        "attempts": attempts,
        "degraded": sent.degraded,
    }
    if completion.conversation is not None:
        body["conversation"] = completion.conversation
    encoded = _encode("result", fleet_id, body)
    if len(encoded) > MAX_REPLY_BYTES:
        return compose_failure(request, _too_large(len(encoded), body["digests"]), attempts)
    return Terminal("result", fleet_id, attempts, encoded)


def compose_history(request: Addressed, conversation: dict[str, Any], messages: list[Any]) -> Terminal:
    """`history`: a conversation as it is, or a `too_large` failure where no reply could carry it."""
    fleet_id = final_id(_base(request))
    encoded = _encode("history", fleet_id, {"conversation": conversation, "messages": messages})
    if len(encoded) > MAX_REPLY_BYTES:
        message = f"the history has {len(encoded)} bytes; a reply holds {MAX_REPLY_BYTES}: clear it"
        return compose_failure(request, CompletionError(ErrorCode.TOO_LARGE, message, again=False), 0)
    return Terminal("history", fleet_id, 0, encoded, "history")


def compose_failure(request: Addressed, error: CompletionError, attempts: int) -> Terminal:
    """`failure`: why there is no answer, and what to do; partial text only where a reply can carry it."""
    fleet_id = final_id(_base(request))
    body: dict[str, Any] = {
        "code": error.code,
        "message": _sentence(error.message),
        "retryable": error.code.retryable,
        "attempts": attempts,
        "upstream": error.upstream,
        "partial": error.partial or None,
    }
    encoded = _encode("failure", fleet_id, body)
    if len(encoded) > MAX_REPLY_BYTES:
        encoded = _encode("failure", fleet_id, {**body, "partial": None})
    return Terminal("failure", fleet_id, attempts, encoded, error.code)


def compose_refusal(refusal: Refusal) -> Composed:
    """The `failure` of one publish, which does not end the request that its correlation ID may belong to."""
    fleet_id = refused_id(id_base(refusal.correlation_id or "", refusal.retry), refusal.message_id)
    body = {
        "code": refusal.code,
        "message": refusal.message,
        "retryable": refusal.code.retryable,
        "attempts": 0,
        "upstream": None,
        "partial": None,
    }
    return Composed("failure", fleet_id, _encode("failure", fleet_id, body))


def digests_of(response: dict[str, Any]) -> dict[str, str]:
    """sha-256 of each text field of the answer, by the field's name."""
    choice = response["choices"][0]
    message = choice.get("message") or {"content": choice.get("text")}
    texts = {name: message.get(name) for name in ("content", "reasoning_content")}
    for number, call in enumerate(message.get("tool_calls") or ()):
        texts[f"tool_calls.{number}.arguments"] = call["function"]["arguments"]
    return {name: _digest(text) for name, text in texts.items() if text is not None}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _too_large(size: int, digests: dict[str, str]) -> CompletionError:
    listed = ", ".join(f"{name} {digest}" for name, digest in digests.items())
    return CompletionError(
        ErrorCode.TOO_LARGE,
        f"The answer has {size} bytes; a reply holds {MAX_REPLY_BYTES}: lower max_tokens (sha-256: {listed})",
        again=False,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _base(request: Addressed) -> str:
    return id_base(request.correlation_id, request.retry)


def _encode(kind: str, fleet_id: str, fields: dict[str, Any]) -> bytes:
    return orjson.dumps({"kind": kind, "id": fleet_id, **fields})
