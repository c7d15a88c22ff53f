"""Every way a call can end without an answer: one class for each error code of the contract.

The text of an error says what to do next and never holds a prompt or an answer.
"""
# ruff: noqa: N818 -- read in place (`except fleet_client.RateLimited`) the names already say that they are errors

from typing import TYPE_CHECKING, Any, ClassVar

from fleet_contracts import EXPLANATIONS, ErrorCode, Failure, Partial, UpstreamError

if TYPE_CHECKING:
    from fleet_client.answer import Answer


class FleetError(Exception):
    """A call that ended without an answer.

    Attributes:
        code: why, from the closed set of the contract.
        retryable: whether asking again later, unchanged, can succeed.
        attempts: calls of DeepSeek that were started for the request.
        upstream: what DeepSeek said, where it said something.
        partial: the text that came before the answer broke off, where there is some.
        correlation_id: the request, for whoever looks it up in the fleet.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        correlation_id: str | None = None,
        retryable: bool | None = None,
        attempts: int = 0,
        upstream: UpstreamError | None = None,
        partial: Partial | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.correlation_id = correlation_id
        self.retryable = self.code.retryable if retryable is None else retryable
        self.attempts = attempts
        self.upstream = upstream
        self.partial = partial

    def __str__(self) -> str:
        request = f" (request {self.correlation_id})" if self.correlation_id else ""
        return f"{self.code}: {self.message}{request}"


class InvalidRequest(FleetError):
    """The request breaks a rule; correct what the message names."""

    code = ErrorCode.INVALID_REQUEST


class TooLarge(InvalidRequest):
    """The request or its answer is larger than 8 MiB."""

    code = ErrorCode.TOO_LARGE


class ReplyRefused(InvalidRequest):
    """The fleet may not write to this client's reply queue."""

    code = ErrorCode.REPLY_REFUSED


class BatchUnderWay(InvalidRequest):
    """Another program runs the batch of this name; it goes on by itself."""


class Conflict(FleetError):
    """The ID already belongs to a request with another body."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT


class ConversationConflict(Conflict):
    """The conversation has moved past the version that this turn continues."""

    code = ErrorCode.CONVERSATION_CONFLICT


class AlreadyAnswered(FleetError):
    """The request was answered long ago, and its answer is no longer kept."""

    code = ErrorCode.ALREADY_ANSWERED


class Unauthorized(FleetError):
    """DeepSeek refused the fleet's key."""

    code = ErrorCode.UNAUTHORIZED


class InsufficientBalance(FleetError):
    """The DeepSeek account has no money left."""

    code = ErrorCode.INSUFFICIENT_BALANCE


class BudgetExceeded(FleetError):
    """The tenant has spent its budget."""

    code = ErrorCode.BUDGET_EXCEEDED


class RateLimited(FleetError):
    """DeepSeek kept answering that the account's limit is reached."""

    code = ErrorCode.RATE_LIMITED


class Rejected(FleetError):
    """DeepSeek understood the request and refused it; `upstream.message` says why."""

    code = ErrorCode.UPSTREAM_REJECTED


class UpstreamUnavailable(FleetError):
    """DeepSeek could not be reached, or is overloaded or broken."""

    code = ErrorCode.UPSTREAM_UNAVAILABLE


class UpstreamTimeout(UpstreamUnavailable):
    """DeepSeek stayed silent for too long."""

    code = ErrorCode.UPSTREAM_TIMEOUT


class UpstreamInterrupted(UpstreamUnavailable):
    """The answer broke off; `partial` holds what came."""

    code = ErrorCode.UPSTREAM_INTERRUPTED


class DeadlineExceeded(FleetError):
    """The call's time was over before its answer was complete."""

    code = ErrorCode.DEADLINE_EXCEEDED


class NoReply(DeadlineExceeded):
    """The call's time was over and the fleet had said nothing final."""


class Cancelled(FleetError):
    """Somebody cancelled the request."""

    code = ErrorCode.CANCELLED


class FleetClosed(Cancelled):
    """The `Fleet` was left or never entered, so this call can't be answered through it."""


class Overloaded(FleetError):
    """The fleet could not take the request on."""

    code = ErrorCode.OVERLOADED


class NotDelivered(Overloaded):
    """The broker never confirmed the request: the fleet may not have it."""


class Unroutable(NotDelivered):
    """The broker has no place for the request, or this user may not publish there."""


class BrokerUnreachable(NotDelivered):
    """No connection to the broker could be opened."""


class CrashLoop(FleetError):
    """Workers died again and again on this request, so the fleet put it aside."""

    code = ErrorCode.CRASH_LOOP


class Internal(FleetError):
    """The fleet failed in a way it has no word for."""

    code = ErrorCode.INTERNAL


class UnexpectedAnswer(Internal):
    """The model answered, but not in the form that was asked for.

    Attributes:
        answer: what it answered, with its text, usage and cost.
    """

    def __init__(self, message: str, *, answer: "Answer | None" = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.answer = answer


CLASSES: dict[ErrorCode, type[FleetError]] = {
    kind.code: kind
    for kind in (
        InvalidRequest,
        TooLarge,
        ReplyRefused,
        Conflict,
        ConversationConflict,
        AlreadyAnswered,
        Unauthorized,
        InsufficientBalance,
        BudgetExceeded,
        RateLimited,
        Rejected,
        UpstreamUnavailable,
        UpstreamTimeout,
        UpstreamInterrupted,
        DeadlineExceeded,
        Cancelled,
        Overloaded,
        CrashLoop,
        Internal,
    )
}
"""Which class stands for which code of a `failure`."""


def error_from(failure: Failure, correlation_id: str) -> FleetError:
    """The exception that a `failure` of the wire stands for."""
    return CLASSES.get(failure.code, Internal)(
        failure.message or EXPLANATIONS[failure.code].advice,
        correlation_id=correlation_id,
        retryable=failure.retryable,
        attempts=failure.attempts,
        upstream=failure.upstream,
        partial=failure.partial,
    )
