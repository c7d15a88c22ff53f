"""Pure: a delivery among the dead letters, with a record that says why and what it takes to ask it again."""

from dataclasses import dataclass
from typing import Any

from fleet_contracts import headers as names
from fleet_contracts.codes import ErrorCode
from fleet_contracts.topology import DEAD, DEAD_KEY_RECORD
from fleet_worker.delivery import Delivery
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Refusal, Request

MAX_KEPT_CHARACTERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a delivery is put aside; holds none of its text."""

    code: ErrorCode
    message: str
    tenant: str
    correlation_id: str | None = None
    reply_to: str | None = None
    attempts: int | None = None
    """Upstream calls that were started for it; None where that is not known here."""
    reason: str | None = None
    """The broker's word, where the broker put it aside."""

    @classmethod
    def refused(cls, refusal: Refusal, reason: str | None = None) -> "Why":
        """It never became a request."""
        return cls(
            code=refusal.code,
            message=refusal.message,
            tenant=refusal.tenant,
            correlation_id=refusal.correlation_id,
            reply_to=refusal.reply_to,
            reason=reason,
        )

    @classmethod
    def failed(
        cls,
        request: Request,
        code: ErrorCode,
        message: str,
        attempts: int | None = None,
        reason: str | None = None,
    ) -> "Why":
        """It was a request, and ended in a failure that operators have to know of."""
        return cls(
            code=code,
            message=message,
            tenant=request.tenant,
            correlation_id=request.correlation_id,
            reply_to=request.reply_to,
            attempts=attempts,
            reason=reason,
        )


def to_dead_letters(delivery: Delivery, why: Why, worker: str, now_ms: int) -> Outgoing:
    """The delivery's own bytes, for the queue of finished dead letters."""
    return Outgoing(
        exchange=DEAD,
        routing_key=DEAD_KEY_RECORD,
        body=delivery.body,
        type=delivery.type if _is_kept(delivery.type) else None,
        correlation_id=why.correlation_id,
        reply_to=why.reply_to,
        headers={**_kept(delivery), **_record(delivery, why, worker, now_ms)},
    )


def _record(delivery: Delivery, why: Why, worker: str, now_ms: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        names.DEAD_CODE: str(why.code),
        names.DEAD_MESSAGE: why.message,
        names.DEAD_AT_MS: now_ms,
        names.DEAD_EXCHANGE: delivery.exchange,
        names.DEAD_QUEUE: delivery.queue,
        names.DEAD_ROUTING_KEY: delivery.routing_key,
        names.DEAD_WORKER: worker,
        names.DEAD_DELIVERIES: delivery.deliveries,
        names.TENANT: why.tenant,
    }
    optional = {names.DEAD_REASON: why.reason, names.DEAD_ATTEMPTS: why.attempts}
    return record | {name: value for name, value in optional.items() if value is not None}


def _kept(delivery: Delivery) -> dict[str, Any]:
    """The request's own headers: plain values only, for whatever else stood there says nothing of use."""
    return {
        name: delivery.headers[name]
        for name in names.KEPT_IN_DEAD_LETTERS
        if _is_kept(delivery.headers.get(name))
    }


def _is_kept(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and len(value) <= MAX_KEPT_CHARACTERS)
