"""Stand-ins for the worker's ports: each is told what to do, and remembers what was done to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fleet_worker.completion import Completion, Delta, Emit
from fleet_worker.deadline import Deadline
from fleet_worker.ports import Sent, UndeliveredError
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

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        del request, deadline
        self.calls += 1
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

    def send(self, delta: Delta) -> None:
        self._seq += 1
        self._replies.lines.append(f"chunk {self._seq} {delta.fields['content']}")

    async def settle(self) -> Sent:
        return Sent(self._seq, degraded=False)

    async def finish(self, terminal: Terminal) -> None:
        await self._replies.finish(self._request, terminal)

    async def close(self) -> None:
        pass
