"""The closed set of error codes, with what each means and what its reader should do."""

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Why a request ended without a result. Readers treat a code they don't know as `internal`."""

    INVALID_REQUEST = "invalid_request"
    TOO_LARGE = "too_large"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    CONVERSATION_CONFLICT = "conversation_conflict"
    ALREADY_ANSWERED = "already_answered"
    REPLY_REFUSED = "reply_refused"
    UNAUTHORIZED = "unauthorized"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    BUDGET_EXCEEDED = "budget_exceeded"
    RATE_LIMITED = "rate_limited"
    UPSTREAM_REJECTED = "upstream_rejected"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_INTERRUPTED = "upstream_interrupted"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CANCELLED = "cancelled"
    OVERLOADED = "overloaded"
    CRASH_LOOP = "crash_loop"
    INTERNAL = "internal"

    @property
    def retryable(self) -> bool:
        """Whether asking again later, unchanged, can succeed."""
        return EXPLANATIONS[self].retryable


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an error code tells its reader."""

    meaning: str
    advice: str
    retryable: bool


EXPLANATIONS: dict[ErrorCode, Explanation] = {
    ErrorCode.INVALID_REQUEST: Explanation(
        "The message is no valid request: its body, properties or headers are wrong.",
        "Correct what the message names and publish it again.",
        retryable=False,
    ),
    ErrorCode.TOO_LARGE: Explanation(
        "The request or its answer is larger than 8 MiB.",
        "Send less text, or lower max_tokens.",
        retryable=False,
    ),
    ErrorCode.IDEMPOTENCY_CONFLICT: Explanation(
        "The correlation ID already belongs to a request with another body, type or conversation.",
        "Use a new correlation ID for a new request.",
        retryable=False,
    ),
    ErrorCode.CONVERSATION_CONFLICT: Explanation(
        "The conversation has moved past the version that this turn continues.",
        "Read the conversation and send the turn again with its newest version.",
        retryable=False,
    ),
    ErrorCode.ALREADY_ANSWERED: Explanation(
        "The request was answered, but the stored answer is no longer kept; only its digest is.",
        "Use the answer you got the first time, or ask again under a new correlation ID.",
        retryable=False,
    ),
    ErrorCode.REPLY_REFUSED: Explanation(
        "reply_to names a queue that the fleet may not write to.",
        "Use a queue whose name starts with deepseek.reply. and, in strict mode, your own tenant.",
        retryable=False,
    ),
    ErrorCode.UNAUTHORIZED: Explanation(
        "DeepSeek refused the fleet's API key.",
        "Tell the fleet's operators: DEEPSEEK_API_KEY must be replaced. Then ask again.",
        retryable=True,
    ),
    ErrorCode.INSUFFICIENT_BALANCE: Explanation(
        "The DeepSeek account has no money left.",
        "Tell the fleet's operators to top up the account. Then ask again.",
        retryable=True,
    ),
    ErrorCode.BUDGET_EXCEEDED: Explanation(
        "The tenant has spent its budget.",
        "Wait for the reset that the message names, or ask for a larger budget.",
        retryable=True,
    ),
    ErrorCode.RATE_LIMITED: Explanation(
        "DeepSeek kept answering that the account's limit is reached.",
        "Ask again later.",
        retryable=True,
    ),
    ErrorCode.UPSTREAM_REJECTED: Explanation(
        "DeepSeek understood the request and refused it.",
        "Correct what upstream.message names and publish it under a new correlation ID.",
        retryable=False,
    ),
    ErrorCode.UPSTREAM_UNAVAILABLE: Explanation(
        "DeepSeek could not be reached, or answered that it is overloaded or broken.",
        "Ask again later.",
        retryable=True,
    ),
    ErrorCode.UPSTREAM_TIMEOUT: Explanation(
        "DeepSeek stayed silent longer than one of the fleet's clocks allows; the message names the clock.",
        "Ask again later.",
        retryable=True,
    ),
    ErrorCode.UPSTREAM_INTERRUPTED: Explanation(
        "DeepSeek began to answer and the answer broke off.",
        "Ask again; partial holds the text that came.",
        retryable=True,
    ),
    ErrorCode.DEADLINE_EXCEEDED: Explanation(
        "The request's own deadline passed before its answer was complete.",
        "Ask again with more time.",
        retryable=True,
    ),
    ErrorCode.CANCELLED: Explanation(
        "The caller cancelled the request.",
        "Nothing to do.",
        retryable=False,
    ),
    ErrorCode.OVERLOADED: Explanation(
        "The fleet could not take the request on.",
        "Ask again later.",
        retryable=True,
    ),
    ErrorCode.CRASH_LOOP: Explanation(
        "Workers died three times on this request, so it was put aside.",
        "Tell the fleet's operators: the dead letter holds the record.",
        retryable=False,
    ),
    ErrorCode.INTERNAL: Explanation(
        "The fleet failed in a way it has no word for.",
        "Ask again; if it happens again, tell the fleet's operators the correlation ID.",
        retryable=True,
    ),
}
