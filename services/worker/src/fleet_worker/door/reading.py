"""Pure: a delivery's bytes and properties become a checked `Request`, or a `Refusal` that says why not."""

import hashlib
from typing import Any, cast

import orjson
from pydantic import ValidationError

from fleet_contracts import headers as names
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import (
    DEFAULT_TENANT,
    MAX_REQUEST_BYTES,
    Lane,
    OnBreak,
    RequestType,
    lane_and_tenant,
)
from fleet_contracts.request import ChatRequest, ConversationRequest, FimRequest
from fleet_contracts.topology import REQUESTS_BATCH
from fleet_worker.delivery import Delivery, RefusedError, TenantRule
from fleet_worker.door.conversations import MODEL, conversation_of
from fleet_worker.door.identity import (
    correlation_id_of,
    count_of,
    message_id_of,
    readable,
    reply_to_of,
    retry_of,
    tenant_of,
    usable_reply_to,
)
from fleet_worker.door.resumed import parked_until_ms_of, published_ms_of, turned_away_of
from fleet_worker.request import Published, Refusal, Request

_BODIES: dict[RequestType, type[ChatRequest | FimRequest | ConversationRequest]] = {
    RequestType.CHAT: ChatRequest,
    RequestType.FIM: FimRequest,
    RequestType.CONVERSATION: ConversationRequest,
}


def read(delivery: Delivery, rule: TenantRule, now_ms: int) -> Request | Refusal:
    """Check a delivery.

    Never raises on bad input, and never repeats any of it but names of fields: a refusal may be logged.
    """
    try:
        return _request(delivery, tenant_of(delivery, rule), rule, now_ms)
    except RefusedError as refused:
        return refusal_of(delivery, rule, refused)


def refusal_of(delivery: Delivery, rule: TenantRule, refused: RefusedError) -> Refusal:
    """What to tell the sender of a delivery that is not taken on, and where.

    In strict mode a sender whom nothing tells gets no reply: the queue that it names may be anybody's.
    """
    tenant = _known_tenant(delivery, rule)
    told = tenant or DEFAULT_TENANT
    nobody = rule.strict and tenant is None
    return Refusal(
        code=refused.code,
        message=refused.message,
        correlation_id=readable(delivery.correlation_id),
        reply_to=None if nobody else usable_reply_to(delivery, told, rule),
        message_id=message_id_of(delivery),
        tenant=told,
        retry=_readable_retry(delivery),
    )


def _known_tenant(delivery: Delivery, rule: TenantRule) -> str | None:
    try:
        return tenant_of(delivery, rule)
    except RefusedError:
        return None


def _request(delivery: Delivery, tenant: str, rule: TenantRule, now_ms: int) -> Request:
    correlation_id = correlation_id_of(delivery)
    reply_to = reply_to_of(delivery, tenant, rule)
    kind = _type(delivery)
    conversation, continues = conversation_of(delivery, kind)
    body = _body(delivery)
    model, stream = _check_fields(kind, body)
    published_ms = published_ms_of(delivery)
    return Request(
        correlation_id=correlation_id,
        tenant=tenant,
        lane=_lane(delivery),
        type=kind,
        message_id=message_id_of(delivery),
        model=model,
        body=body,
        payload=_encode(body),
        digest=hashlib.sha256(delivery.body).hexdigest(),
        stream=stream,
        reply_to=reply_to,
        retry=retry_of(delivery),
        waiting=_flag(delivery, names.WAITING),
        on_break=_on_break(delivery),
        conversation=conversation,
        continues=continues,
        deadline_ms=count_of(delivery, names.DEADLINE_MS),
        queued_ms=0 if published_ms is None else max(0, now_ms - published_ms),
        deliveries=delivery.deliveries,
        published=Published(body=delivery.body, headers=delivery.headers, at_ms=published_ms),
        parked_until_ms=parked_until_ms_of(delivery),
        turned_away=turned_away_of(delivery),
    )


def _lane(delivery: Delivery) -> Lane:
    return Lane.BATCH if delivery.queue == REQUESTS_BATCH else lane_and_tenant(delivery.routing_key)[0]


def _type(delivery: Delivery) -> RequestType:
    try:
        return RequestType(delivery.type or RequestType.CHAT)
    except ValueError:
        known = ", ".join(RequestType)
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, f"type is unknown; this fleet serves {known}."
        ) from None


def _body(delivery: Delivery) -> dict[str, Any]:
    if len(delivery.body) > MAX_REQUEST_BYTES:
        raise RefusedError(
            ErrorCode.TOO_LARGE,
            f"The body has {len(delivery.body)} bytes; at most {MAX_REQUEST_BYTES} are taken.",
        )
    if (delivery.content_encoding or "utf-8").lower() != "utf-8":
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, "content_encoding is set; publish the JSON as it is, in UTF-8."
        )
    try:
        body: Any = orjson.loads(delivery.body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, f"The body is no JSON: line {error.lineno}, column {error.colno}."
        ) from None
    if not isinstance(body, dict):
        raise RefusedError(ErrorCode.INVALID_REQUEST, "The body is no JSON object.")
    return cast("dict[str, Any]", body)


def _check_fields(kind: RequestType, body: dict[str, Any]) -> tuple[str, bool]:
    try:
        checked = _BODIES[kind].model_validate(body)
    except ValidationError as error:
        raise RefusedError(ErrorCode.INVALID_REQUEST, _first_problem(error)) from None
    if isinstance(checked, ConversationRequest):
        return MODEL, False
    return checked.model, bool(checked.stream)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    others = error.error_count() - 1
    more = f" (and {others} more)" if others else ""
    return f"{where[:100]}: {problem['msg'].removeprefix('Value error, ')}{more}."


def _encode(body: dict[str, Any]) -> bytes:
    try:
        # A copy, for the encoder's own result holds 4 KiB or more, and this one is kept for a whole call.
        return bytes(memoryview(orjson.dumps(body)))
    except orjson.JSONEncodeError:
        # The encoder takes fewer levels than the decoder; what it refuses could never be sent on.
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, "The body is nested too deep; at most 250 levels are taken."
        ) from None


def _readable_retry(delivery: Delivery) -> int:
    try:
        return retry_of(delivery)
    except RefusedError:
        return 0


def _flag(delivery: Delivery, name: str) -> bool:
    value = delivery.headers.get(name, False)
    if isinstance(value, bool):
        return value
    raise RefusedError(ErrorCode.INVALID_REQUEST, f"{name} must be true or false.")


def _on_break(delivery: Delivery) -> OnBreak:
    try:
        return OnBreak(delivery.headers.get(names.ON_BREAK, OnBreak.RESTART))
    except ValueError:
        known = ", ".join(OnBreak)
        raise RefusedError(ErrorCode.INVALID_REQUEST, f"{names.ON_BREAK} must be one of {known}.") from None
