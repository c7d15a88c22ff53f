"""Every message that comes back. Readers ignore kinds, codes and fields that they don't know."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fleet_contracts.codes import ErrorCode
from fleet_contracts.completion import ChatCompletion, TextCompletion
from fleet_contracts.conversation import Conversation

Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[int, Field(ge=0)]
Attempt = Annotated[int, Field(ge=1, description="The attempt, counted from 1 over all workers")]
FleetId = Annotated[str, Field(description="Equal on every copy of this reply; drop what you have seen")]


class _Reply(BaseModel):
    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )

    id: FleetId


class Accepted(_Reply):
    """The first attempt of a streamed request has started."""

    kind: Literal["accepted"] = "accepted"
    attempt: Attempt
    queued_ms: Annotated[
        Milliseconds, Field(description="How long the request waited in its queue; 0 where unknown")
    ]
    worker: Annotated[str, Field(description="Name of the worker that has begun")]


class Waiting(_Reply):
    """The request waits for a permit; sent to callers who set `fleet-waiting`."""

    kind: Literal["waiting"] = "waiting"
    position: Annotated[Count, Field(description="How many requests are before this one")]
    estimate_ms: Annotated[
        Milliseconds | None, Field(description="About how long it will wait; null where unknown")
    ] = None


class Delta(BaseModel):
    """A piece of the answer in DeepSeek's shape. For `fim.v1` the text is in `content`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    content: Annotated[str | None, Field(description="Text to add to the answer")] = None
    reasoning_content: Annotated[
        str | None, Field(description="Text to add to what the model thought before it answered")
    ] = None
    tool_calls: Annotated[
        list[dict[str, Any]] | None,
        Field(description="Fragments of tool calls: join the arguments of those with the same index"),
    ] = None


class Chunk(_Reply):
    """A piece of a streamed answer. `seq` counts 0, 1, 2 … without a gap within one attempt."""

    kind: Literal["chunk"] = "chunk"
    attempt: Attempt
    seq: Annotated[Count, Field(description="Number of this chunk in its attempt, from 0")]
    delta: Annotated[Delta, Field(description="What this chunk adds to the answer")]
    logprobs: Annotated[
        dict[str, Any] | None, Field(description="Log probabilities of this chunk's tokens, if asked for")
    ] = None


class Restarted(_Reply):
    """A new attempt has begun: drop the text of earlier attempts."""

    kind: Literal["restarted"] = "restarted"
    attempt: Attempt
    reason: Annotated[
        str, Field(description="Why: an error code, or worker_lost where a worker died or lost the request")
    ]


class Timings(BaseModel):
    """Where the time of a request went, in whole milliseconds."""

    model_config = ConfigDict(extra="allow", frozen=True)

    queued_ms: Annotated[Milliseconds, Field(description="From publish to delivery; 0 where unknown")]
    permit_ms: Annotated[Milliseconds, Field(description="Waiting for a permit")]
    first_content_ms: Annotated[
        Milliseconds | None,
        Field(description="From the call's start to its first text; null where unstreamed"),
    ]
    upstream_ms: Annotated[Milliseconds, Field(description="The upstream call that answered")]
    total_ms: Annotated[Milliseconds, Field(description="From delivery to this reply")]


class Cost(BaseModel):
    """What the answer cost by DeepSeek's price list."""

    model_config = ConfigDict(extra="allow", frozen=True)

    amount: Annotated[
        str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$", description="A decimal number, as in 0.000123")
    ]
    currency: Annotated[str, Field(description="ISO 4217 code, as in USD")]
    estimated: Annotated[bool, Field(description="True where DeepSeek sent no usage")]


class Result(_Reply):
    """The request's answer, whole: nothing in it depends on a chunk having arrived."""

    kind: Literal["result"] = "result"
    attempt: Attempt
    last_seq: Annotated[int, Field(ge=-1, description="The seq of the last chunk; -1 where none was sent")]
    response: Annotated[
        ChatCompletion | TextCompletion,
        Field(union_mode="left_to_right", description="DeepSeek's own object, as it comes unstreamed"),
    ]
    digests: Annotated[
        dict[str, str],
        Field(
            description="SHA-256 in hex of each text as UTF-8: `content` (also the text of fim.v1), "
            "`reasoning_content`, `tool_calls.<n>.arguments`"
        ),
    ]
    timings: Annotated[Timings, Field(description="Where the time went")]
    cost: Annotated[Cost | None, Field(description="What it cost; null where no price is known")] = None
    account: Annotated[
        str | None,
        Field(description="The account that paid, by the operators' name for it; null where unknown"),
    ] = None
    attempts: Annotated[int, Field(ge=1, description="Upstream calls started for this request")]
    degraded: Annotated[
        bool, Field(description="True: some chunks were not delivered; only `response` is whole")
    ] = False
    conversation: Annotated[
        Conversation | None,
        Field(description="Of a turn with fleet-conversation: the conversation with this turn in it"),
    ] = None


class History(_Reply):
    """Terminal reply to a `conversation.v1`: the conversation as it is, or as it is after the clear."""

    kind: Literal["history"] = "history"
    conversation: Annotated[Conversation, Field(description="Which one, and its version")]
    messages: Annotated[
        list[dict[str, Any]],
        Field(description="All that is kept of it, in DeepSeek's shape, the system prompt first"),
    ]


class UpstreamError(BaseModel):
    """What DeepSeek said, for whoever talks to its support."""

    model_config = ConfigDict(extra="allow", frozen=True)

    status: Annotated[int | None, Field(description="HTTP status")] = None
    type: Annotated[str | None, Field(description="The error's type, in DeepSeek's words")] = None
    message: Annotated[str | None, Field(description="The error's message, in DeepSeek's words")] = None
    trace_id: Annotated[str | None, Field(description="DeepSeek's x-ds-trace-id of the call")] = None


class Partial(BaseModel):
    """The text that came before the answer broke off."""

    model_config = ConfigDict(extra="allow", frozen=True)

    content: Annotated[str | None, Field(description="The answer as far as it came")] = None
    reasoning_content: Annotated[str | None, Field(description="The thinking as far as it came")] = None


def _known_code(code: object) -> object:
    unknown = isinstance(code, str) and code not in set(ErrorCode)
    return ErrorCode.INTERNAL if unknown else code


class Failure(_Reply):
    """The request ended without an answer, or one publish of it was refused (see `id`)."""

    kind: Literal["failure"] = "failure"
    code: Annotated[
        ErrorCode,
        BeforeValidator(_known_code),
        Field(description="Why; a code that you don't know means `internal`"),
    ]
    message: Annotated[str, Field(description="What happened and what to do, for people")]
    retryable: Annotated[bool, Field(description="Whether asking again later, unchanged, can succeed")]
    attempts: Annotated[Count, Field(description="Upstream calls started for this request")]
    upstream: Annotated[UpstreamError | None, Field(description="What DeepSeek said, if it was asked")] = None
    partial: Annotated[Partial | None, Field(description="The text that came, if some did")] = None


Reply = Annotated[
    Accepted | Waiting | Chunk | Restarted | Result | History | Failure,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[_Reply]] = {
    "accepted": Accepted,
    "waiting": Waiting,
    "chunk": Chunk,
    "restarted": Restarted,
    "result": Result,
    "history": History,
    "failure": Failure,
}


def message_type(kind: str) -> str:
    """The AMQP `type` of a reply: its kind with the version."""
    return f"{kind}.v1"


def accepted_id(correlation_id: str) -> str:
    """The stable id of `accepted`."""
    return f"{correlation_id}:accepted"


def chunk_id(correlation_id: str, run: str, attempt: int, seq: int) -> str:
    """The stable id of a chunk; `run` is a random word of its attempt."""
    return f"{correlation_id}:{run}:{attempt}:{seq}"


def waiting_id(correlation_id: str, number: int) -> str:
    """The stable id of a `waiting` reply; `number` counts those of one request, from 1."""
    return f"{correlation_id}:waiting:{number}"


def restarted_id(correlation_id: str, run: str, attempt: int) -> str:
    """The stable id of `restarted`."""
    return f"{correlation_id}:{run}:{attempt}:restarted"


def final_id(correlation_id: str) -> str:
    """The stable id of the one terminal reply."""
    return f"{correlation_id}:final"


def refused_id(correlation_id: str, message_id: str) -> str:
    """The stable id of the refusal of one publish, which does not end the request."""
    return f"{correlation_id}:refused:{message_id}"


def id_base(correlation_id: str, retry: int) -> str:
    """What ids start with: the correlation ID, and `~n` where the caller set `fleet-retry: n`."""
    return f"{correlation_id}~{retry}" if retry else correlation_id
