"""Properties and headers of what the fleet publishes, as models to print from."""

from typing import Annotated

from pydantic import Field

from fleet_contracts import headers as names
from fleet_contracts.codes import ErrorCode
from fleet_contracts.printing.envelope import Envelope, RetryHeader, TenantHeader


class ReplyHeaders(Envelope):
    """Headers of a reply: what a reader needs before it parses the body."""

    id: Annotated[
        str,
        Field(alias=names.ID, description="Equal on every copy of this reply; drop what you have seen"),
    ]
    attempt: Annotated[
        int | None,
        Field(
            alias=names.ATTEMPT,
            ge=0,
            description="The attempt; 0 on a failure before the first one, none on the refusal of a publish",
        ),
    ] = None
    seq: Annotated[
        int | None, Field(alias=names.SEQ, ge=0, description="Of a chunk: its number in the attempt, from 0")
    ] = None


class ReplyProperties(Envelope):
    """AMQP properties of every reply."""

    correlation_id: Annotated[str, Field(description="The request's")]
    type: Annotated[
        str,
        Field(
            pattern=r"^[a-z_]+\.v[0-9]+$",
            description="The kind with its version, as in chunk.v1; ignore a type that you don't know",
        ),
    ]
    message_id: Annotated[
        str | None, Field(description="Random for each publish: copies of one reply differ in it")
    ] = None
    content_type: Annotated[str | None, Field(description="application/json")] = None
    delivery_mode: Annotated[int | None, Field(description="2, persistent")] = None
    headers: Annotated[ReplyHeaders, Field(description="The reply's identity and place")]


class DeadLetterHeaders(Envelope):
    """Headers of a dead letter: the record of why it is one."""

    code: Annotated[ErrorCode, Field(alias=names.DEAD_CODE, description="Why, as in a failure")]
    message: Annotated[
        str, Field(alias=names.DEAD_MESSAGE, description="What is wrong; holds none of the body's text")
    ]
    at_ms: Annotated[
        int,
        Field(alias=names.DEAD_AT_MS, ge=0, description="When it was put aside, Unix time in milliseconds"),
    ]
    exchange: Annotated[
        str | None,
        Field(alias=names.DEAD_EXCHANGE, description="Where it was published; empty: the default exchange"),
    ] = None
    queue: Annotated[
        str | None, Field(alias=names.DEAD_QUEUE, description="The queue that it was taken from")
    ] = None
    routing_key: Annotated[
        str | None, Field(alias=names.DEAD_ROUTING_KEY, description="The key that it was published with")
    ] = None
    worker: Annotated[
        str | None, Field(alias=names.DEAD_WORKER, description="Name of the worker that put it aside")
    ] = None
    reason: Annotated[
        str | None,
        Field(
            alias=names.DEAD_REASON,
            description="The broker's word where the broker put it aside: expired, delivery_limit, maxlen, "
            "rejected",
        ),
    ] = None
    attempts: Annotated[
        int | None,
        Field(alias=names.DEAD_ATTEMPTS, ge=0, description="Upstream calls that were started for it"),
    ] = None
    deliveries: Annotated[
        int | None,
        Field(alias=names.DEAD_DELIVERIES, ge=0, description="How often it was delivered before"),
    ] = None
    tenant: TenantHeader = None
    retry: RetryHeader = None


class DeadLetterProperties(Envelope):
    """AMQP properties of a dead letter. Its body is that of the request, byte for byte.

    The headers of the request are kept beside the record, so that it can be asked again.
    """

    correlation_id: Annotated[
        str | None, Field(description="The request's, where it had one that can be read")
    ] = None
    reply_to: Annotated[
        str | None, Field(description="The request's, where it is a queue that the fleet may write to")
    ] = None
    type: Annotated[str | None, Field(description="As it was published, which may be wrong")] = None
    message_id: Annotated[str | None, Field(description="Random")] = None
    content_type: Annotated[str | None, Field(description="application/json, whatever the body is")] = None
    delivery_mode: Annotated[int | None, Field(description="2, persistent")] = None
    headers: Annotated[DeadLetterHeaders, Field(description="The record of why")]
