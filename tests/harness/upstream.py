"""An upstream without a socket: plays scripted answers to the worker's DeepSeek client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from fleet_chassis.clock import Clock, SystemClock
from fleet_worker.completion import Completion, CompletionError, Delta
from fleet_worker.deadline import Deadline
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints
from fleet_worker.deepseek.auth import auth_of
from fleet_worker.deepseek.sending import Sender
from fleet_worker.deepseek.users import Users
from harness.requests import a_request

KEY = "sk-secret-of-the-fleet"
KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

Step = bytes | Exception | Callable[[], Awaitable[None]]


class Body(httpx.AsyncByteStream):
    """A body that comes step by step: bytes are sent, errors raised, anything else awaited."""

    def __init__(self, *steps: Step, forever: bytes | None = None) -> None:
        self._steps = steps
        self._forever = forever
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, Exception):
                raise step
            else:
                await step()
        while self._forever is not None:
            yield self._forever
            await asyncio.sleep(0.002)

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Upstream:
    """Answers every call with the same status, headers and body, and keeps the calls."""

    body: Body = field(default_factory=Body)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    before: Callable[[], Awaitable[None]] | None = None
    users: Users = field(default_factory=Users)
    calls: list[httpx.Request] = field(default_factory=list[httpx.Request])

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if self.before:
            await self.before()
        return httpx.Response(self.status, headers=self.headers, stream=self.body)

    def client(self, clocks: Clocks | None = None, clock: Clock | None = None) -> DeepSeek:
        sender = Sender(httpx.MockTransport(self.answer))
        endpoints = Endpoints("https://upstream.test")
        return DeepSeek(
            sender, auth_of(KEY), endpoints, clocks or Clocks(), clock or SystemClock(), users=self.users
        )


async def complete(upstream: Upstream, **request: Any) -> tuple[Completion, list[Delta]]:
    """The completion of a request with these changes, and its deltas."""
    deltas: list[Delta] = []
    completion = await upstream.client().complete(a_request(**request), soon(), deltas.append)
    return completion, deltas


async def failed(upstream: Upstream, **request: Any) -> CompletionError:
    """The error of a call that must not succeed; it never holds the key."""
    with pytest.raises(CompletionError) as error:
        await complete(upstream, **request)
    assert KEY not in f"{error.value} {error.value.message} {error.value.upstream}"
    return error.value


def soon(seconds: float = 30, clock: Clock | None = None) -> Deadline:
    """A deadline that no test should reach, on the clock of the client that it is given to."""
    return Deadline((clock or SystemClock()).monotonic() + seconds)


async def silence() -> None:
    """Never ends by itself."""
    await asyncio.Event().wait()


def event(document: Any) -> bytes:
    """One message of an event stream."""
    return b"data: %b\n\n" % orjson.dumps(document)


def chunk(
    delta: dict[str, Any] | None = None, finish_reason: str | None = None, **more: Any
) -> dict[str, Any]:
    """One chunk of a chat stream, as DeepSeek shapes it."""
    return {
        "id": "23d01db0",
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": "deepseek-flash",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish_reason}],
        **more,
    }


def chat_stream(texts: Sequence[str] = ("Hi", " there"), finish_reason: str = "stop") -> list[bytes]:
    """A whole stream without thinking, `[DONE]` included."""
    usage = {"prompt_tokens": 5, "completion_tokens": len(texts), "total_tokens": 5 + len(texts)}
    return [
        event(chunk({"role": "assistant", "content": ""})),
        *(event(chunk({"content": text})) for text in texts),
        event(chunk({"content": ""}, finish_reason, usage=usage)),
        DONE,
    ]
