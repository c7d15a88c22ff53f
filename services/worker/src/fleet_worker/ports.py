"""The seams of the worker: what the handler needs of the world, and what it may rely on."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import Completion, Delta, Emit
from fleet_worker.deadline import Deadline
from fleet_worker.hold import DeliveryLease, Hold
from fleet_worker.request import Addressed, Refusal, Request, RequestKey
from fleet_worker.terminal import Terminal


class Completions(Protocol):
    """Where answers come from."""

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        """Make one upstream call.

        `emit` gets each delta of a streamed answer in order, on the event loop, in the caller's context and
        not always in its task: it must not wait. Cancelling closes the upstream socket.

        Raises:
            CompletionError: anything but a whole answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """This worker has the request in hand; earlier attempts may have sent text.

    The hold comes stopped where no call may be made: the request was cancelled, or takes its workers down.
    """

    hold: Hold


@dataclass(frozen=True, slots=True)
class Final:
    """The request has ended before: here is its terminal reply."""

    terminal: Terminal


@dataclass(frozen=True, slots=True)
class AlreadyAnswered:
    """The request has ended before, and its terminal reply is not kept any more."""

    outcome: str
    """`result`, or the failure's code."""
    digest: str
    """sha-256 of the terminal reply's body."""
    code = ErrorCode.ALREADY_ANSWERED

    @property
    def message(self) -> str:
        """What to tell whoever asked again."""
        return (
            f"The request has ended ({self.outcome}) and its reply is no longer kept (sha-256 of its body: "
            f"{self.digest}). Use the reply that you got, or ask again under a new correlation ID."
        )


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key belongs to another request."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT
    message = "The correlation ID belongs to another request. Use a new one for a new request."


Claim = Granted | Final | AlreadyAnswered | Conflict


class CancelSeen(Enum):
    """What a cancel found where it leaves nothing in our hands."""

    UNKNOWN = "unknown"
    """The request was never seen; the claim that comes will find the cancel."""
    RUNNING = "running"
    """Somebody works on it and is told."""
    ENDED = "ended"
    """It has ended."""


class Ledger(Protocol):
    """What is known about a request and its terminal reply, by every worker that shares the store."""

    async def claim(self, request: Request, delivery: DeliveryLease) -> Claim:
        """Take the request on, or learn why not, in one atomic step.

        Where somebody works on it, waits to be told of the end; a living owner keeps its call.

        Raises:
            PostponedError: `busy`; it is still in other hands after about 10 s.
            LostError: the ledger can't be asked; nothing may start.
        """
        ...

    async def begin_attempt(self, hold: Hold) -> int:
        """Record that an upstream call starts now; returns its number, from 1 over all workers.

        Raises:
            LostError: the request is in other hands, or the ledger can't be asked: the call must not start.
            CompletionError: nobody wants it any more: neither.
        """
        ...

    async def go_on(self, hold: Hold) -> None:
        """Make sure that another call of the attempt that runs may start now.

        Raises:
            LostError, CompletionError: as `begin_attempt`.
        """
        ...

    async def commit(self, hold: Hold, terminal: Terminal, deadline: Deadline) -> Terminal:
        """Store the terminal reply unless there is one; returns the one that counts, to be published.

        Waits for a store that is away, until 10 minutes after the deadline.

        Raises:
            LostError: the request is in other hands, or the store stayed away.
        """
        ...

    async def release(self, hold: Hold) -> None:
        """Let others take the request, at once; does nothing after a commit. Never raises."""
        ...

    def drain(self) -> None:
        """Let no call begin any more, for good; requests without one, or at its end, stop (LostError)."""
        ...

    async def cancel(self, key: RequestKey) -> Hold | CancelSeen:
        """Have a request end as cancelled, wherever it is; one that nobody has in hand is now in ours.

        Such a hold is to be committed with a `cancelled` failure, published where its facts say. Should this
        worker die before that, the request's next claim finds the cancel.

        Raises:
            LostError: the ledger can't be asked.
        """
        ...


class UndeliveredError(Exception):
    """A reply that must not be lost was taken by nobody; the request must not be acknowledged."""


class ReplyStream(Protocol):
    """The replies to one request, in order."""

    def accept(self, attempt: int) -> None:
        """Say that the first attempt has started."""
        ...

    def restart(self, attempt: int, reason: str) -> None:
        """Say that a new attempt has begun, and number its chunks from 0 again."""
        ...

    def retry(self, attempt: int) -> None:
        """Go on under a new attempt without a word: no text was sent."""
        ...

    def wait(self, position: int, estimate_ms: int | None) -> None:
        """Say that the request waits in line, and how many are before it; never waits."""
        ...

    def send(self, delta: Delta) -> None:
        """Queue a piece of the answer; never waits, may join it with others."""
        ...

    async def settle(self) -> "Sent":
        """Wait until every chunk is confirmed, or the reader is known to be gone or slow."""
        ...

    async def finish(self, terminal: Terminal) -> None:
        """Publish the terminal reply where the caller and the followers look, and have it confirmed.

        Raises:
            UndeliveredError: neither took it.
        """
        ...

    async def close(self) -> None:
        """Stop sending; called on every way out."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the chunks of the last attempt."""

    last_seq: int
    degraded: bool


class Replies(Protocol):
    """Where replies go."""

    def open(self, request: Request) -> ReplyStream:
        """Begin to answer a request."""
        ...

    async def finish(self, request: Addressed, terminal: Terminal) -> None:
        """Publish the terminal reply to a request of which nothing else is told from here.

        Raises:
            UndeliveredError: nobody took it.
        """
        ...

    async def refuse(self, refusal: Refusal) -> None:
        """Refuse one publish without ending the request that its correlation ID belongs to."""
        ...
