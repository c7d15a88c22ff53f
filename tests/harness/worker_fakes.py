"""Stand-ins for the worker's ports: each is told what to do, and remembers what was done to it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fleet_contracts.topology import REQUESTS_RESUMED
from fleet_worker.completion import Completion, CompletionError, Delta, Emit
from fleet_worker.deadline import Deadline
from fleet_worker.delivery import Delivery
from fleet_worker.ports import Completions, Sent, UndeliveredError
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Addressed, Refusal, Request
from fleet_worker.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Whole:
    """The end of a script: the call succeeds with this response."""

    response: dict[str, Any]


Step = Delta | Exception | Whole | Callable[[], Awaitable[Any]]


class ScriptedCompletions:
    """Plays one script for each call: deltas are emitted, errors raised, a whole answer returned."""

    def __init__(self, *scripts: list[Step]) -> None:
        self._scripts = list(scripts)
        self.calls = 0
        self.asked: list[Request] = []

    def script(self, number: int) -> list[Step]:
        """A script that has not been played yet."""
        return self._scripts[number]

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        del deadline
        self.calls += 1
        self.asked.append(request)
        for step in self._scripts.pop(0):
            if isinstance(step, Delta):
                emit(step)
            elif isinstance(step, Exception):
                raise step
            elif isinstance(step, Whole):
                return Completion(step.response, trace_id="t", first_content_ms=1, upstream_ms=2)
            else:
                await step()
        raise AssertionError("a script ends with an error or a response")


class OpenUpstream:
    """Lets every call through, and can afford every repetition it is told to."""

    def __init__(self, completions: Completions, repeats: int = 100) -> None:
        self._completions = completions
        self.repeats = repeats
        self.postponed: PostponedError | None = None
        """Raised instead of letting the next call through."""

    @asynccontextmanager
    async def admitted(self, request: Request, account: str) -> AsyncGenerator[Completions]:
        del request, account
        if self.postponed is not None:
            postponed, self.postponed = self.postponed, None
            raise postponed
        yield self._completions

    def postpones(self, error: CompletionError, turned_away: int) -> PostponedError | None:
        if error.turned_away and turned_away % 3 == 0:
            return PostponedError(Reason.TURNED_AWAY, 5, error)
        if error.retry_after_s is None or error.retry_after_s <= 30:
            return None
        return PostponedError(Reason.RETRY_AFTER, error.retry_after_s, error)

    async def may_repeat(self, request: Request, error: CompletionError, account: str) -> bool:
        del request, error, account
        self.repeats -= 1
        return self.repeats >= 0

    def hands_over(self, request: Request, account: str, trouble: CompletionError | PostponedError) -> bool:
        del request, account, trouble
        return False


class Rungs:
    """Takes copies as the broker's rungs would, and hands them back as deliveries."""

    def __init__(self) -> None:
        self.copies: list[Outgoing] = []
        self.full = False

    async def deliver_surely(self, message: Outgoing) -> None:
        if self.full:
            raise UndeliveredError("nobody took it")
        self.copies.append(message)

    def come_back(self) -> Delivery:
        copy = self.copies.pop()
        return Delivery(
            body=copy.body,
            queue=REQUESTS_RESUMED,
            exchange=REQUESTS_RESUMED,
            routing_key=copy.routing_key,
            headers={**copy.headers, "x-death": [{"count": 1}], "x-first-death-reason": "expired"},
            correlation_id=copy.correlation_id,
            reply_to=copy.reply_to,
            type=copy.type,
            message_id="random",
            user_id=None,
        )


@dataclass
class RecordingReplies:
    """Keeps what a caller would have seen, as short lines."""

    lines: list[str] = field(default_factory=list[str])
    terminals: list[Terminal] = field(default_factory=list[Terminal])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    undeliverable: bool = False

    def open(self, request: Request) -> "RecordingStream":
        return RecordingStream(self, request)

    async def finish(self, request: Addressed, terminal: Terminal) -> None:
        del request
        if self.undeliverable:
            raise UndeliveredError("nobody took it")
        self.lines.append(terminal.outcome)
        self.terminals.append(terminal)

    async def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)


class RecordingStream:
    def __init__(self, replies: RecordingReplies, request: Request) -> None:
        self._replies = replies
        self._request = request
        self._seq = -1

    def accept(self, attempt: int) -> None:
        self._seq = -1
        self._replies.lines.append(f"accepted {attempt}")

    def restart(self, attempt: int, reason: str) -> None:
        self._seq = -1
        self._replies.lines.append(f"restarted {attempt} {reason}")

    def retry(self, attempt: int) -> None:
        del attempt
        self._seq = -1

    def wait(self, position: int, estimate_ms: int | None) -> None:
        del estimate_ms
        self._replies.lines.append(f"waiting {position}")

    def send(self, delta: Delta) -> None:
        self._seq += 1
        self._replies.lines.append(f"chunk {self._seq} {delta.fields['content']}")

    async def settle(self) -> Sent:
        return Sent(self._seq, degraded=False)

    async def finish(self, terminal: Terminal) -> None:
        await self._replies.finish(self._request, terminal)

    async def close(self) -> None:
        pass
