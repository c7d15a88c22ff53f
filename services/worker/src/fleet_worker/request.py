"""One request as the worker holds it, after the door has read and checked it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import Lane, OnBreak, RequestType

RequestKey = tuple[str, str, int]
ConversationKey = tuple[str, str]
"""The tenant, and the name that its caller gave the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The message that a request came as, as far as a copy of it must say the same."""

    body: bytes = b""
    headers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    at_ms: int | None = None
    """Unix time in ms of the first publish, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A checked request: everything that the rest of the worker may know about a delivery."""

    correlation_id: str
    tenant: str
    lane: Lane
    type: RequestType
    message_id: str
    model: str
    body: dict[str, Any]
    payload: bytes
    """The body as it is POSTed, encoded once."""
    digest: str
    """sha-256 of the body's bytes as they were published: tells a repeated request from another one."""
    stream: bool
    reply_to: str | None
    retry: int = 0
    waiting: bool = False
    on_break: OnBreak = OnBreak.RESTART
    conversation: str | None = None
    """The name of the conversation that it is a turn of, or asks about."""
    continues: int | None = None
    """The version that the conversation must have; None where any will do."""
    deadline_ms: int | None = None
    queued_ms: int = 0
    deliveries: int = 0
    """How often the broker delivered this request before."""
    published: Published = field(default_factory=Published)
    parked_until_ms: int | None = None
    """Unix time in ms before which going on makes no sense, where the request was parked."""
    turned_away: int = 0
    """How many of its calls the upstream had turned away when it was parked."""

    def refused(self, code: ErrorCode, message: str) -> "Refusal":
        """The refusal of this publish."""
        return Refusal(
            code=code,
            message=message,
            correlation_id=self.correlation_id,
            reply_to=self.reply_to,
            message_id=self.message_id,
            tenant=self.tenant,
            retry=self.retry,
        )

    @property
    def key(self) -> RequestKey:
        """What makes a request the same request."""
        return (self.tenant, self.correlation_id, self.retry)


def key_text(key: RequestKey) -> str:
    """A request's key as one string: `<tenant>/<correlation id>~<retry>`.

    A tenant has no slash and a retry is a number, so no two keys give the same text.
    """
    tenant, correlation_id, retry = key
    return f"{tenant}/{correlation_id}~{retry}"


def key_of(text: str) -> RequestKey:
    """The key that `key_text` gave as `text`."""
    tenant, _, rest = text.partition("/")
    correlation_id, _, retry = rest.rpartition("~")
    return (tenant, correlation_id, int(retry))


class Addressed(Protocol):
    """Whom a terminal reply is for: a request, or what the ledger knows of one that is not at hand."""

    @property
    def correlation_id(self) -> str:
        """The request's."""
        ...

    @property
    def tenant(self) -> str:
        """Who asks."""
        ...

    @property
    def retry(self) -> int:
        """Which time it is asked."""
        ...

    @property
    def model(self) -> str:
        """The model asked for."""
        ...

    @property
    def reply_to(self) -> str | None:
        """The caller's queue, where there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Absent:
    """A request that is in none of our queues' deliveries now, as far as a terminal reply needs it."""

    correlation_id: str
    tenant: str
    retry: int
    model: str
    reply_to: str | None

    @classmethod
    def of(cls, key: RequestKey, reply_to: str | None, model: str) -> "Absent":
        """The request of this key."""
        tenant, correlation_id, retry = key
        return cls(correlation_id, tenant, retry, model, reply_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One publish that does not become a request: what to tell its sender, where one can be told."""

    code: ErrorCode
    message: str
    correlation_id: str | None
    reply_to: str | None
    message_id: str
    tenant: str
    retry: int = 0
