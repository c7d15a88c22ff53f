"""Properties and headers of what a backend publishes, as models to print from."""

from typing import Annotated, Literal

from pydantic import Field

from fleet_contracts import headers as names
from fleet_contracts.grammar import MAX_CONVERSATION_BYTES, MAX_CORRELATION_ID_BYTES, OnBreak, RequestType
from fleet_contracts.printing.envelope import Envelope, RetryHeader, TenantHeader
from fleet_contracts.topology import ACCEPTED_REPLY_PREFIXES

_PREFIXES = "|".join(ACCEPTED_REPLY_PREFIXES).replace(".", r"\.")

CorrelationId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_CORRELATION_ID_BYTES,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Which request: 1 to 255 bytes, printable, unique for each request of a tenant",
    ),
]
UserId = Annotated[
    str | None, Field(description="Your RabbitMQ user, checked by the broker; then it is the tenant")
]
ContentType = Annotated[str | None, Field(description="application/json; other values are not looked at")]
DeliveryMode = Annotated[
    Literal[1, 2] | None,
    Field(description="Publish with 2 (persistent): 1 may be lost in a broker's restart"),
]


class RequestHeaders(Envelope):
    """Headers of a request. Integers and booleans are AMQP integers and booleans, not text."""

    tenant: TenantHeader = None
    deadline_ms: Annotated[
        int | None,
        Field(
            alias=names.DEADLINE_MS,
            ge=0,
            description="Unix time in milliseconds after which nobody wants the answer",
        ),
    ] = None
    retry: RetryHeader = None
    waiting: Annotated[
        bool | None, Field(alias=names.WAITING, description="True: send `waiting` replies while it waits")
    ] = None
    on_break: Annotated[
        OnBreak | None,
        Field(
            alias=names.ON_BREAK,
            description="What to do when the call breaks after text was sent; restart where left out",
        ),
    ] = None
    conversation: Annotated[
        str | None,
        Field(
            alias=names.CONVERSATION,
            min_length=1,
            max_length=MAX_CONVERSATION_BYTES,
            description="The fleet keeps the history under this name, apart for each tenant; the body "
            "carries only the new messages. Of a conversation.v1: which one",
        ),
    ] = None
    conversation_version: Annotated[
        int | None,
        Field(
            alias=names.CONVERSATION_VERSION,
            ge=0,
            description="The version of the conversation that this turn continues; with any other it ends as "
            "conversation_conflict. Where left out, it goes on from whatever is there",
        ),
    ] = None
    traceparent: Annotated[
        str | None, Field(alias=names.TRACEPARENT, description="W3C Trace Context, traceparent")
    ] = None
    tracestate: Annotated[
        str | None, Field(alias=names.TRACESTATE, description="W3C Trace Context, tracestate")
    ] = None
    published_ms: Annotated[
        int | None,
        Field(
            alias=names.PUBLISHED_MS,
            ge=0,
            description="When it was published, in Unix milliseconds: queued_ms counts from it, rather than "
            "from the property timestamp. RabbitMQ's own timestamp interceptor sets it too",
        ),
    ] = None


class RequestProperties(Envelope):
    """AMQP properties of a request."""

    correlation_id: CorrelationId
    reply_to: Annotated[
        str | None,
        Field(
            max_length=255,
            pattern=f"^({_PREFIXES})",
            description="Your queue for the replies; where left out they go to deepseek.results only",
        ),
    ] = None
    type: Annotated[RequestType | None, Field(description="What the body is; chat.v1 where left out")] = None
    message_id: Annotated[
        str | None,
        Field(max_length=255, description="Random for each publish; a refusal of the publish carries it"),
    ] = None
    user_id: UserId = None
    expiration: Annotated[
        str | None,
        Field(pattern=r"^[0-9]+$", description="Longest wait in the request queue, in milliseconds, as text"),
    ] = None
    timestamp: Annotated[
        int | None,
        Field(ge=0, description="When it was published, in Unix seconds; queued_ms counts from it"),
    ] = None
    content_type: ContentType = None
    content_encoding: Annotated[
        Literal["utf-8"] | None, Field(description="The body is JSON in UTF-8, never compressed")
    ] = None
    delivery_mode: DeliveryMode = None
    headers: Annotated[RequestHeaders | None, Field(description="The fleet's headers, all optional")] = None


class CancelHeaders(Envelope):
    """Headers of a cancel: those that are part of the request's identity."""

    tenant: TenantHeader = None
    retry: RetryHeader = None


class CancelProperties(Envelope):
    """AMQP properties of a `cancel.v1`."""

    correlation_id: CorrelationId
    type: Annotated[Literal["cancel.v1"], Field(description="Always cancel.v1")]
    user_id: UserId = None
    content_type: ContentType = None
    delivery_mode: DeliveryMode = None
    headers: Annotated[CancelHeaders | None, Field(description="As in the request")] = None
