"""Builds what is published: DeepSeek's own JSON, with the fleet's headers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson

from fleet_client.errors import InvalidRequest, TooLarge
from fleet_contracts import Lane, OnBreak, RequestType, headers
from fleet_contracts.grammar import MAX_CORRELATION_ID_BYTES, MAX_REQUEST_BYTES, is_tenant, request_key

Message = Mapping[str, Any]
Prompt = str | Sequence[Message]
LaneName = Lane | Literal["interactive", "batch"]
OnBreakName = OnBreak | Literal["restart", "continue", "fail"]
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be published as often as it takes."""

    id: str
    type: RequestType
    body: bytes = field(repr=False)
    routing_key: str
    headers: dict[str, Any]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call asks of the fleet, besides its body."""

    id: str
    tenant: str
    timeout_s: float
    lane: LaneName = Lane.INTERACTIVE
    deadline: datetime | None = None
    waiting: bool = False
    on_break: OnBreakName | None = None


def chat_fields(prompt: Prompt, model: str, *, thinking: bool | Message | None, stream: bool) -> Fields:
    """The part of a chat's body that has arguments of its own; a `str` is one user message."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    fields: Fields = {"model": model, "messages": messages}
    if thinking is not None:
        fields["thinking"] = _thinking(thinking)
    return {**fields, "stream": True} if stream else fields


def build(kind: RequestType, fields: Fields, terms: Terms, now_ms: int) -> Request:
    """The request that asks `fields` on these terms.

    Raises:
        InvalidRequest: the ID, tenant, lane or time is wrong, or a field is no JSON.
        TooLarge: the body is larger than 8 MiB.
    """
    timeout_s = _time_left(terms, now_ms)
    return Request(
        id=_checked_id(terms.id),
        type=kind,
        body=_encoded(fields, terms.id),
        routing_key=_routing_key(terms),
        headers=_headers(terms, now_ms + int(timeout_s * 1000)),
        timeout_s=timeout_s,
    )


def _thinking(thinking: bool | Message) -> Message:  # noqa: FBT001 -- the caller's own word, passed by name there
    if isinstance(thinking, bool):
        return {"type": "enabled" if thinking else "disabled"}
    return thinking


def _time_left(terms: Terms, now_ms: int) -> float:
    if terms.deadline is not None and terms.deadline.tzinfo is None:
        raise InvalidRequest("deadline has no time zone. Use datetime.now(UTC) + timedelta(...).")
    timeouts = [terms.timeout_s]
    if terms.deadline is not None:
        timeouts.append(terms.deadline.timestamp() - now_ms / 1000)
    if min(timeouts) <= 0:
        raise InvalidRequest(
            "The call has no time left. Give a deadline in the future or a timeout_s above 0."
        )
    return min(timeouts)


def _checked_id(correlation_id: str) -> str:
    if 0 < len(correlation_id.encode()) <= MAX_CORRELATION_ID_BYTES:
        return correlation_id
    raise InvalidRequest(f"id must have 1 to {MAX_CORRELATION_ID_BYTES} bytes. Use a shorter one.")


def _encoded(fields: Fields, correlation_id: str) -> bytes:
    try:
        body = orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise InvalidRequest(
            f"The request is no JSON: {error}. Pass plain dicts, lists, strings, numbers, booleans and None.",
            correlation_id=correlation_id,
        ) from error
    if len(body) > MAX_REQUEST_BYTES:
        raise TooLarge(
            f"The request has {len(body)} bytes; {MAX_REQUEST_BYTES} are allowed. Send less text.",
            correlation_id=correlation_id,
        )
    return body


def _routing_key(terms: Terms) -> str:
    if not is_tenant(terms.tenant):
        raise InvalidRequest("tenant must be 1 to 64 letters, digits, underscores or hyphens.")
    if terms.lane not in {lane.value for lane in Lane}:
        raise InvalidRequest('There is no such lane. Use "interactive" or "batch".')
    return request_key(Lane(terms.lane), terms.tenant)


def _headers(terms: Terms, deadline_ms: int) -> dict[str, Any]:
    found: dict[str, Any] = {headers.TENANT: terms.tenant, headers.DEADLINE_MS: deadline_ms}
    if terms.waiting:
        found[headers.WAITING] = True
    if terms.on_break is not None:
        found[headers.ON_BREAK] = str(terms.on_break)
    return found
