"""Pure: one dead letter as its record tells of it. Whatever stands there may have been forged."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet_contracts import headers as names
from fleet_contracts.grammar import CANCEL_TYPE, DEFAULT_TENANT, is_tenant

Json = dict[str, Any]

SHORT_ID = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter without its body."""

    id: str
    at_ms: int | None
    code: str
    message: str
    tenant: str
    correlation_id: str | None
    retry: int
    type: str | None
    reply_to: str | None
    reason: str | None
    exchange: str
    queue: str
    routing_key: str
    worker: str | None
    attempts: int | None
    deliveries: int | None
    size: int
    kept: Mapping[str, Any]
    """The headers of the request itself."""

    @property
    def is_cancel(self) -> bool:
        """Whether it was a cancel, and no request."""
        return self.type == CANCEL_TYPE

    def at(self) -> datetime | None:
        """When it was put aside."""
        return _moment(self.at_ms)

    def fields(self) -> Json:
        """For programs; what is not known is left out."""
        at = self.at()
        found = {
            "id": self.id,
            "at": at.isoformat(timespec="milliseconds") if at else None,
            "code": self.code,
            "message": self.message,
            "reason": self.reason,
            "tenant": self.tenant,
            "correlation_id": self.correlation_id,
            "retry": self.retry,
            "type": self.type,
            "reply_to": self.reply_to,
            "exchange": self.exchange,
            "queue": self.queue,
            "routing_key": self.routing_key,
            "worker": self.worker,
            "attempts": self.attempts,
            "deliveries": self.deliveries,
            "bytes": self.size,
        }
        return {name: value for name, value in found.items() if value is not None}


def letter_of(
    body: bytes,
    headers: Mapping[str, Any],
    *,
    message_id: object = None,
    correlation_id: object = None,
    type_: object = None,
    reply_to: object = None,
) -> Letter:
    """Read a dead letter; never raises, whatever it holds."""
    tenant = _text(headers.get(names.TENANT))
    return Letter(
        id=_text(message_id) or f"sha256-{hashlib.sha256(body).hexdigest()[:24]}",
        at_ms=_count(headers.get(names.DEAD_AT_MS)),
        code=_text(headers.get(names.DEAD_CODE)) or "internal",
        message=_text(headers.get(names.DEAD_MESSAGE)) or "",
        tenant=tenant if tenant and is_tenant(tenant) else DEFAULT_TENANT,
        correlation_id=_text(correlation_id),
        retry=_count(headers.get(names.RETRY)) or 0,
        type=_text(type_),
        reply_to=_text(reply_to),
        reason=_text(headers.get(names.DEAD_REASON)),
        exchange=_text(headers.get(names.DEAD_EXCHANGE)) or "",
        queue=_text(headers.get(names.DEAD_QUEUE)) or "",
        routing_key=_text(headers.get(names.DEAD_ROUTING_KEY)) or "",
        worker=_text(headers.get(names.DEAD_WORKER)),
        attempts=_count(headers.get(names.DEAD_ATTEMPTS)),
        deliveries=_count(headers.get(names.DEAD_DELIVERIES)),
        size=len(body),
        kept={name: headers[name] for name in names.KEPT_IN_DEAD_LETTERS if name in headers},
    )


def _moment(at_ms: int | None) -> datetime | None:
    try:
        return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
