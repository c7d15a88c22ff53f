"""A message on its way out, and the two ways in which it may not arrive."""

from dataclasses import dataclass, field
from typing import Any


class UnroutableError(Exception):
    """No queue takes the message: the queue that it names is gone."""


class NotConfirmedError(Exception):
    """The broker refused the message, or did not answer in time: it may or may not be in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to publish."""

    exchange: str
    routing_key: str
    body: bytes
    type: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    headers: dict[str, Any] = field(default_factory=dict[str, Any])
    mandatory: bool = True
