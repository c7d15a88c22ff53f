"""Pure: why the broker itself put a message aside, and what the message was before.

RabbitMQ tells it in the header `x-death`, newest death first: https://www.rabbitmq.com/docs/dlx
A publisher may have forged it, so it decides nothing but the words of a failure.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.delivery import Delivery

UNTOLD = "untold"
MAX_NAME_CHARACTERS = 255

DELIVERED_TOO_OFTEN = "delivery_limit"
"""The broker's word for what came back more often than its queue allows."""


@dataclass(frozen=True, slots=True)
class Death:
    """The newest death of a message."""

    reason: str
    """`expired`, `delivery_limit`, `maxlen` or `rejected`; `untold` where the broker says none of them."""
    queue: str
    exchange: str
    routing_key: str

    def error(self) -> CompletionError:
        """What the request's sender is told."""
        code, message = _MEANINGS.get(self.reason, _UNKNOWN)
        return CompletionError(code, message, again=False)


_MEANINGS = {
    "expired": (
        ErrorCode.DEADLINE_EXCEEDED,
        "the request waited in its queue longer than its expiration: ask again with more time",
    ),
    DELIVERED_TOO_OFTEN: (
        ErrorCode.CRASH_LOOP,
        "workers got the request again and again and never ended it: tell the fleet's operators",
    ),
}
_UNKNOWN = (
    ErrorCode.INTERNAL,
    "the broker put the request aside: ask again, and tell the fleet's operators if that fails too",
)
REASONS = frozenset({*_MEANINGS, "maxlen", "rejected"})


def death_of(delivery: Delivery) -> Death:
    """The newest death; never raises, whatever the header holds."""
    newest = _first(delivery.headers.get("x-death"))
    entry: dict[Any, Any] = cast("dict[Any, Any]", newest) if isinstance(newest, dict) else {}
    reason = _name(entry.get("reason"))
    return Death(
        reason=reason if reason in REASONS else UNTOLD,
        queue=_name(entry.get("queue")),
        exchange=_name(entry.get("exchange")),
        routing_key=_name(_first(entry.get("routing-keys"))),
    )


def revived(delivery: Delivery, death: Death) -> Delivery:
    """The delivery as a worker would have had it from its own queue."""
    return replace(delivery, queue=death.queue, exchange=death.exchange, routing_key=death.routing_key)


def _first(value: object) -> object:
    return cast("list[object]", value)[0] if isinstance(value, list) and value else None


def _name(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS else ""
