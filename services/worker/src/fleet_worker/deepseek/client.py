"""One upstream call: send, read, judge."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace

import httpx

from fleet_chassis.clock import Clock
from fleet_chassis.descriptors import came_of_starving
from fleet_worker.completion import Completion, CompletionError, Emit, UpstreamAnswer
from fleet_worker.deadline import Deadline
from fleet_worker.deepseek.auth import Auth, auth_of
from fleet_worker.deepseek.clocks import Clocks, Watch
from fleet_worker.deepseek.endpoints import Endpoints
from fleet_worker.deepseek.errors import (
    deadline_passed,
    interrupted,
    packed,
    refused,
    silent,
    starved,
    unreachable,
    unsupported,
)
from fleet_worker.deepseek.quirks import DEEPSEEK, Quirks, payload_of
from fleet_worker.deepseek.reading import AnswerReader, StreamedAnswer, WholeAnswer
from fleet_worker.deepseek.refusals import answer_of, retry_after_s
from fleet_worker.deepseek.sending import Sender
from fleet_worker.deepseek.shapes import Json
from fleet_worker.deepseek.transport import are_read, is_packed, pieces_of
from fleet_worker.deepseek.users import Users
from fleet_worker.deepseek.verdict import check
from fleet_worker.request import Request

_OK = 200
_MAX_ERROR_BYTES = 64 * 1024
_ERROR_BODY_S = 5.0
_DRAIN_S = 0.5


class DeepSeek:
    """Answers requests with DeepSeek, or with a server that speaks the same API.

    Args:
        sender: Sends the calls.
        auth: How calls are authorised.
        endpoints: Where calls go.
        clocks: How long a call may be silent.
        clock: The time.
        quirks: In what the server differs from DeepSeek.
        users: Who asks, in requests that don't say it.
    """

    def __init__(
        self,
        sender: Sender,
        auth: Auth,
        endpoints: Endpoints,
        clocks: Clocks,
        clock: Clock,
        quirks: Quirks = DEEPSEEK,
        users: Users | None = None,
    ) -> None:
        self._sender = sender
        self._auth = auth
        self._endpoints = endpoints
        self._clocks = clocks
        self._clock = clock
        self._quirks = quirks
        self._users = users or Users()

    @classmethod
    def open(
        cls,
        endpoints: Endpoints,
        key: Auth | str,
        clocks: Clocks,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        quirks: Quirks = DEEPSEEK,
        users: Users | None = None,
    ) -> "DeepSeek":
        """With connections of its own, which `aclose` ends."""
        sender = Sender.open(clocks.connect_s, tls)
        return cls(sender, auth_of(key), endpoints, clocks, clock, quirks, users)

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        """Make one upstream call.

        It has succeeded only with a known finish reason and, where streamed, with `[DONE]`. Cancelling closes
        the upstream's socket at once.

        Args:
            request: Its `payload` is POSTed byte for byte, but for the server's quirks and a `user_id`.
            deadline: When nobody wants the answer any more.
            emit: Gets each delta of a streamed answer, in this task's context.

        Raises:
            CompletionError: anything but a whole answer.
        """
        if deadline.passed(self._clock):
            raise deadline_passed()
        if lacking := self._quirks.lacks(request):
            raise unsupported(lacking)
        watch = Watch(self._clocks, deadline, self._clock)
        reader = StreamedAnswer(request.type, emit, watch) if request.stream else WholeAnswer(watch)
        call = _Call(request, watch, reader)
        try:
            async with watch:
                return await self._make(call)
        except CompletionError as error:
            call.explain(error)
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        await self._sender.aclose()

    async def _make(self, call: "_Call") -> Completion:
        response = await self._send(call.request)
        call.status = response.status_code
        call.trace_id = response.headers.get("x-ds-trace-id")
        try:
            completion = await self._read(response, call)
        finally:
            # Closes the connection too, unless the answer was read to its end.
            with suppress(httpx.RequestError):
                await response.aclose()
        check(completion.response, call.request)
        return completion

    async def _read(self, response: httpx.Response, call: "_Call") -> Completion:
        if response.status_code != _OK:
            raise await self._refusal(response, call)
        if is_packed(response):
            raise packed()
        pieces = pieces_of(response)
        answer = await _read(call.reader, pieces)
        watch = call.watch
        completion = Completion(
            answer, call.trace_id, watch.first_content_ms, watch.elapsed_ms, watch.longest_gap_ms
        )
        watch.stop()
        if not are_read(pieces):
            await _drain(pieces)
        return completion

    async def _send(self, request: Request) -> httpx.Response:
        payload = payload_of(request, self._quirks, self._users)
        try:
            return await self._sender.post(self._endpoints.of(request), payload, self._auth)
        except httpx.ConnectTimeout as error:
            raise silent("connect", self._clocks.connect_s) from error
        except httpx.RequestError as error:
            raise (starved() if came_of_starving(error) else unreachable()) from error

    async def _refusal(self, response: httpx.Response, call: "_Call") -> CompletionError:
        body = self._auth.hide(await _first_bytes(response))
        upstream = answer_of(response.status_code, body, call.trace_id)
        wait_s = retry_after_s(response.headers.get("retry-after"), self._clock.now_ms())
        return refused(response.status_code, upstream, wait_s)


@dataclass
class _Call:
    """What is known of one call while it runs."""

    request: Request
    watch: Watch
    reader: AnswerReader
    status: int | None = None
    trace_id: str | None = None

    def explain(self, error: CompletionError) -> None:
        """Add to an error what its place of origin could not know."""
        error.partial = self.reader.partial()
        error.usage = self.reader.usage()
        error.first_content_ms = self.watch.first_content_ms
        error.upstream_ms = self.watch.elapsed_ms
        error.longest_gap_ms = self.watch.longest_gap_ms
        if self.status is not None:
            upstream = error.upstream or UpstreamAnswer(self.status)
            error.upstream = replace(upstream, trace_id=self.trace_id)


async def _read(reader: AnswerReader, pieces: AsyncIterator[bytes]) -> Json:
    try:
        return await reader.read(pieces)
    except httpx.RequestError as error:
        raise interrupted("broke off") from error


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read what follows a whole answer, so that its connection can serve the next call."""
    with suppress(TimeoutError, httpx.RequestError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in pieces:
                pass


async def _first_bytes(response: httpx.Response) -> bytes:
    """The body of an error, as far as it comes soon and is no longer than any real one."""
    body = bytearray()
    with suppress(TimeoutError, httpx.RequestError):
        async with asyncio.timeout(_ERROR_BODY_S):
            async for piece in pieces_of(response):
                body += piece
                if len(body) > _MAX_ERROR_BYTES:
                    break
    return bytes(body[:_MAX_ERROR_BYTES])
