"""What a fake fleet was asked."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from fleet_client.request import Request
from fleet_contracts import Lane
from fleet_contracts.grammar import lane_and_tenant


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as the fleet would have got it.

    Attributes:
        body: DeepSeek's JSON.
        headers: the fleet's headers, as in `fleet-deadline-ms` or `traceparent`.
        wants_replies: False where it was submitted, and nobody waits.
    """

    id: str
    tenant: str
    retry: int
    lane: Lane
    type: str
    headers: dict[str, Any]
    wants_replies: bool
    body: dict[str, Any] = field(repr=False)

    @property
    def prompt(self) -> str:
        """The last message's text; of a fill in the middle, its prompt."""
        messages = self.body.get("messages")
        return str(messages[-1].get("content") or "") if messages else str(self.body.get("prompt", ""))

    @property
    def stream(self) -> bool:
        """Whether chunks were asked for."""
        return self.body.get("stream") is True


def asked_from(request: Request, *, wants_replies: bool) -> Asked:
    """The record of a request."""
    return Asked(
        id=request.id,
        tenant=request.tenant,
        retry=request.retry,
        lane=lane_and_tenant(request.routing_key)[0],
        type=str(request.type),
        headers=dict(request.headers),
        wants_replies=wants_replies,
        body=orjson.loads(request.body),
    )
