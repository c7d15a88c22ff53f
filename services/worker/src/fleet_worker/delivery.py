"""A delivery as the broker hands it over, and the rule by which its sender is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet_contracts.codes import ErrorCode
from fleet_contracts.topology import ACCEPTED_REPLY_PREFIXES
from fleet_worker.hold import DeliveryLease


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the broker handed over, untouched: every value may be hostile."""

    body: bytes
    queue: str
    exchange: str
    routing_key: str
    headers: Mapping[str, Any]
    correlation_id: str | None = None
    reply_to: str | None = None
    type: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    content_encoding: str | None = None
    published_ms: int | None = None
    lease: DeliveryLease = field(default_factory=DeliveryLease, compare=False)

    @property
    def deliveries(self) -> int:
        """How often it was handed over before, whether it was given back or its consumer ended.

        From 4.3 on, RabbitMQ leaves what was given back by `basic.nack` out of the first count, and adds a
        second one that has it (https://www.rabbitmq.com/docs/quorum-queues).
        """
        return max(self._count("x-delivery-count"), self._count("x-acquired-count"))

    def _count(self, header: str) -> int:
        # Set by the broker on a quorum queue, and absent on the first delivery.
        count = self.headers.get(header, 0)
        return count if isinstance(count, int) and count > 0 and count is not True else 0


@dataclass(frozen=True, slots=True)
class TenantRule:
    """How a tenant is told: `strict` believes only the user that the broker checked."""

    strict: bool = False
    trusted_users: frozenset[str] = frozenset()
    reply_prefixes: tuple[str, ...] = ACCEPTED_REPLY_PREFIXES


class RefusedError(Exception):
    """The delivery is no request. The message may be logged: it repeats names of fields, never values."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
