"""Builds what is published: DeepSeek's own JSON, with the fleet's headers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fleet_client.errors import InvalidRequest, TooLarge
from fleet_client.terms import Terms
from fleet_contracts import RequestType, headers
from fleet_contracts.grammar import MAX_REQUEST_BYTES
from fleet_contracts.reply import id_base

Message = Mapping[str, Any]
Prompt = str | Sequence[Message]
Fields = dict[str, Any]

_OWN_ARGUMENTS = frozenset({"messages", "stream"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be published as often as it takes.

    Attributes:
        time_s: seconds until nobody wants its answer; None where it is wanted however late.
    """

    id: str
    tenant: str
    retry: int
    type: RequestType
    body: bytes = field(repr=False)
    routing_key: str
    headers: dict[str, Any]
    time_s: float | None

    @property
    def id_base(self) -> str:
        """What the `fleet-id` of every reply to it starts with, before the first colon of its own."""
        return id_base(self.id, self.retry)

    @property
    def identity_headers(self) -> dict[str, Any]:
        """Those headers that say, with the correlation ID, which request it is."""
        return {
            name: value for name, value in self.headers.items() if name in {headers.TENANT, headers.RETRY}
        }


def chat_fields(
    prompt: Prompt,
    model: str,
    thinking: bool | Message | None,  # noqa: FBT001 -- the caller's own word, passed by name there
    fields: Fields,
    *,
    stream: bool,
) -> Fields:
    """The body of a chat; a `str` is one user message.

    Raises:
        InvalidRequest: a field has an argument of its own.
    """
    refuse_own_arguments(fields)
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    body: Fields = {**fields, "model": model, "messages": messages}
    if thinking is not None:
        body["thinking"] = _thinking(thinking)
    return {**body, "stream": True} if stream else body


def fim_fields(prompt: str, suffix: str | None, model: str, fields: Fields) -> Fields:
    """The body of a fill in the middle.

    Raises:
        InvalidRequest: a field has an argument of its own.
    """
    refuse_own_arguments(fields)
    body: Fields = {**fields, "model": model, "prompt": prompt}
    return body if suffix is None else {**body, "suffix": suffix}


def build(kind: RequestType, fields: Fields, terms: Terms, now_ms: int) -> Request:
    """The request that asks `fields` on these terms.

    Raises:
        InvalidRequest: the ID, tenant, lane or time is wrong, or a field is no JSON.
        TooLarge: the body is larger than 8 MiB.
    """
    return of_body(kind, encoded(fields, terms.id), terms, now_ms)


def of_body(kind: RequestType, body: bytes, terms: Terms, now_ms: int) -> Request:
    """The request whose body is encoded already.

    Raises:
        InvalidRequest: the ID, tenant, lane or time is wrong.
    """
    terms.check()
    time_s = terms.time_left_s(now_ms)
    deadline_ms = None if time_s is None else now_ms + int(time_s * 1000)
    return Request(
        id=terms.id,
        tenant=terms.tenant,
        retry=terms.retry,
        type=kind,
        body=body,
        routing_key=terms.routing_key,
        headers=terms.headers(deadline_ms),
        time_s=time_s,
    )


def refuse_own_arguments(fields: Fields) -> None:
    """Refuse what callers say in another way.

    Raises:
        InvalidRequest: `messages` or `stream` is among the fields.
    """
    taken = sorted(_OWN_ARGUMENTS & fields.keys())
    if taken:
        raise InvalidRequest(
            f"{' and '.join(taken)} can't be passed as a field. Give the messages as the first argument; to "
            "stream, use stream(...) or chat(..., stream=True)."
        )


def _thinking(thinking: bool | Message) -> Message:  # noqa: FBT001 -- the caller's own word, passed by name there
    if isinstance(thinking, bool):
        return {"type": "enabled" if thinking else "disabled"}
    return thinking


def encoded(fields: Fields, correlation_id: str | None) -> bytes:
    """The bytes that stand for `fields`.

    Raises:
        InvalidRequest: a field is no JSON.
        TooLarge: they are more than 8 MiB.
    """
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
