"""The seams of the worker: what the handler needs of the world, and what it may rely on."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from fleet_worker.completion import Completion, Delta, Emit
from fleet_worker.deadline import Deadline
from fleet_worker.request import Refusal, Request
from fleet_worker.terminal import Terminal


class Completions(Protocol):
    """Where answers come from."""

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        """Make one upstream call.

        `emit` gets each delta of a streamed answer in order and is called from this task only. Cancelling
        closes the upstream socket.

        Raises:
            CompletionError: anything but a whole answer.
        """
        ...


class Permit(Protocol):
    """The right to have one upstream call in flight."""

    def release(self) -> None:
        """Give it back; called exactly once, on every way out."""
        ...


class Limiter(Protocol):
    """Keeps the fleet inside the account's limits."""

    async def acquire(self, request: Request, deadline: Deadline) -> Permit:
        """Take a permit for one upstream call; waits for it in order of arrival until the deadline.

        Raises:
            CompletionError: `deadline_exceeded`; nothing is held.
        """
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """This worker may work on the request; earlier attempts may have sent text."""

    attempts: int
    """Attempts that were started before."""


@dataclass(frozen=True, slots=True)
class Final:
    """The request has ended before: here is its terminal reply."""

    terminal: Terminal


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key belongs to another request."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Someone works on the same request now; `ended` is set when they stop."""

    ended: asyncio.Event


Claim = Granted | Final | Conflict | Busy


class Ledger(Protocol):
    """What is known about a request and its terminal reply."""

    async def claim(self, request: Request) -> Claim:
        """Take the request on, or learn why not, in one atomic step."""
        ...

    async def commit(self, request: Request, terminal: Terminal) -> Terminal:
        """Store the terminal reply unless there is one; returns the one that counts, to be published."""
        ...

    async def release(self, request: Request) -> None:
        """Give a claim back without an end, for another worker to take."""
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

    async def refuse(self, refusal: Refusal) -> None:
        """Refuse one publish without ending the request that its correlation ID belongs to."""
        ...
