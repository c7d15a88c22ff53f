"""On which terms a request is asked: who asks, under which ID, until when, in which lane."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from fleet_client.errors import InvalidRequest
from fleet_client.trace import trace_headers
from fleet_contracts import Lane, OnBreak, headers
from fleet_contracts.grammar import MAX_CONVERSATION_BYTES, MAX_CORRELATION_ID_BYTES, is_tenant, request_key

LaneName = Lane | Literal["interactive", "batch"]
OnBreakName = OnBreak | Literal["restart", "continue", "fail"]
Deadline = float | datetime
"""When nobody wants the answer any more: in so many seconds, or at a moment with its time zone."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_MOST_RETRIES = 2**31 - 1
_MOST_VERSIONS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call asks of the fleet, besides its body. No `timeout_s`: the answer is wanted at any time."""

    id: str
    tenant: str
    timeout_s: float | None
    deadline: Deadline | None = None
    retry: int = 0
    lane: LaneName = Lane.INTERACTIVE
    waiting: bool = False
    on_break: OnBreakName | None = None
    conversation: str | None = None
    version: int | None = None
    traceparent: str | None = None
    tracestate: str | None = None

    def check(self) -> None:
        """Refuse what the fleet would refuse, before anything is sent.

        Raises:
            InvalidRequest: the ID, tenant, lane, retry, conversation or on_break is wrong.
        """
        if not 0 < len(self.id.encode()) <= MAX_CORRELATION_ID_BYTES:
            raise InvalidRequest(f"id must have 1 to {MAX_CORRELATION_ID_BYTES} bytes. Use a shorter one.")
        if _UNPRINTABLE.search(self.id):
            raise InvalidRequest("id must not hold control characters. Use printable ones.")
        if not is_tenant(self.tenant):
            raise InvalidRequest("tenant must be 1 to 64 letters, digits, underscores or hyphens.")
        if self.lane not in set(Lane):
            raise InvalidRequest('There is no such lane. Use "interactive" or "batch".')
        if not 0 <= self.retry <= _MOST_RETRIES:
            raise InvalidRequest("retry counts up from 0. Use 1 to ask again after a first failure.")
        if self.conversation is not None and not (
            0 < len(self.conversation.encode()) <= MAX_CONVERSATION_BYTES and self.conversation.isprintable()
        ):
            raise InvalidRequest(f"A conversation's id has 1 to {MAX_CONVERSATION_BYTES} printable bytes.")
        if self.version is not None and not 0 <= self.version <= _MOST_VERSIONS:
            raise InvalidRequest("version is one that an answer named, or 0 where nothing was said yet.")
        if self.on_break is not None and self.on_break not in set(OnBreak):
            raise InvalidRequest('There is no such on_break. Use "restart", "continue" or "fail".')

    def time_left_s(self, now_ms: int) -> float | None:
        """Seconds until nobody wants the answer: the earlier of timeout and deadline; None where neither is.

        Raises:
            InvalidRequest: no time is left, or the deadline is a moment without a time zone.
        """
        bounds = [
            bound for bound in (self.timeout_s, _seconds_to(self.deadline, now_ms)) if bound is not None
        ]
        if bounds and min(bounds) <= 0:
            raise InvalidRequest(
                "The call has no time left. Give a deadline in the future or a timeout_s above 0."
            )
        return min(bounds, default=None)

    def under(self, correlation_id: str, retry: int) -> "Terms":
        """The same terms for another request."""
        return replace(self, id=correlation_id, retry=retry)

    @property
    def routing_key(self) -> str:
        """Where to publish."""
        return request_key(Lane(self.lane), self.tenant)

    def headers(self, deadline_ms: int | None) -> dict[str, Any]:
        """The fleet's headers; those that nobody asked for are left out.

        Raises:
            InvalidRequest: `traceparent` is malformed.
        """
        found: dict[str, Any] = {
            headers.TENANT: self.tenant,
            headers.DEADLINE_MS: deadline_ms,
            headers.RETRY: self.retry or None,
            headers.WAITING: self.waiting or None,
            headers.CONVERSATION: self.conversation,
            headers.CONVERSATION_VERSION: self.version,
            headers.ON_BREAK: None if self.on_break is None else str(self.on_break),
            **trace_headers(self.traceparent, self.tracestate),
        }
        return {name: value for name, value in found.items() if value is not None}


def _seconds_to(deadline: Deadline | None, now_ms: int) -> float | None:
    if not isinstance(deadline, datetime):
        return deadline
    if deadline.tzinfo is None:
        raise InvalidRequest("deadline has no time zone. Use datetime.now(UTC) + timedelta(...), or seconds.")
    return deadline.timestamp() - now_ms / 1000
