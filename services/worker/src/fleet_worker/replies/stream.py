"""The replies to one request: numbered chunks in order, then one confirmed terminal reply."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fleet_worker.completion import Delta
from fleet_worker.composing import Composed, compose_accepted, compose_restarted, compose_waiting
from fleet_worker.ports import Sent
from fleet_worker.replies.addressing import terminal_reply, to_caller
from fleet_worker.replies.chunks import Chunks
from fleet_worker.replies.joining import Announcement, InLine, Outbox
from fleet_worker.replies.outgoing import Compose, Ended, NotConfirmedError, Outgoing, Posted, UnroutableError
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal

MAX_WAITING_CHARACTERS = 1024 * 1024
"""More than this waiting for one reader means that it does not read: it gets the result alone."""
SETTLE_TIMEOUT_S = 10.0

NewRun = Callable[[], str]


class Delivers(Protocol):
    """Gets replies to their reader, in order."""

    def post(self, compose: Compose, ended: Ended) -> Posted:
        """Publish a chunk or announcement, composed when it leaves; `ended` hears what became of it."""
        ...

    async def deliver_terminal(self, request: Request, reply: Composed) -> None:
        """Publish the terminal reply where it counts; raises where nobody took it."""
        ...


class RabbitReplyStream:
    """Sends what is queued with one publish on its way at a time, and needs no task of its own.

    That keeps the chunks in order, and joins what comes while a confirm is on its way.
    """

    __slots__ = (
        "_all_sent",
        "_attempt",
        "_chunks",
        "_degraded",
        "_deliverer",
        "_new_run",
        "_outbox",
        "_posted",
        "_request",
        "_run",
        "_waits",
        "_worker",
    )

    def __init__(self, request: Request, deliverer: Delivers, worker: str, new_run: NewRun) -> None:
        self._request = request
        self._deliverer = deliverer
        self._worker = worker
        self._new_run = new_run
        self._run = ""
        self._attempt = 0
        self._chunks: Chunks | None = None
        self._waits = 0
        self._degraded = False
        self._outbox = Outbox(MAX_WAITING_CHARACTERS)
        self._posted: Posted | None = None
        self._all_sent: asyncio.Future[None] | None = None

    def accept(self, attempt: int) -> None:
        """Say that the first attempt has started."""
        self._begin(attempt)
        self._announce(Announcement(attempt, None))

    def restart(self, attempt: int, reason: str) -> None:
        """Say that a new attempt has begun, and number its chunks from 0 again."""
        self._begin(attempt)
        self._announce(Announcement(attempt, reason))

    def retry(self, attempt: int) -> None:
        """Go on under a new attempt without a word: no text was sent."""
        self._begin(attempt)

    def wait(self, position: int, estimate_ms: int | None) -> None:
        """Say that the request waits in line; asked for even where the answer is not streamed."""
        if not self._degraded:
            self._outbox.place(InLine(position, estimate_ms))
            self._wake()

    def send(self, delta: Delta) -> None:
        """Queue a piece of the answer; never waits."""
        if self._degraded:
            return
        if self._outbox.add(delta):
            self._wake()
        else:
            self._degrade()

    async def settle(self) -> Sent:
        """Wait until every chunk is confirmed; a reader slower than 10 s gets no more of them."""
        if self._posted is not None:
            self._all_sent = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(SETTLE_TIMEOUT_S):
                    await self._all_sent
            except TimeoutError:
                self._degrade()
        return Sent(-1 if self._chunks is None else self._chunks.last_seq, self._degraded)

    async def finish(self, terminal: Terminal) -> None:
        """Publish the terminal reply where the caller and the followers look."""
        await self._deliverer.deliver_terminal(self._request, terminal_reply(terminal))

    async def close(self) -> None:
        """Stop sending."""
        self._degrade()

    def _begin(self, attempt: int) -> None:
        self._attempt = attempt
        self._run = self._new_run()
        self._chunks = None

    def _announce(self, announcement: Announcement) -> None:
        if self._request.stream and not self._degraded:
            self._outbox.announce(announcement)
            self._wake()

    def _wake(self) -> None:
        if self._posted is None:
            self._posted = self._deliverer.post(self._next, self._on_end)

    def _on_end(self, error: UnroutableError | NotConfirmedError | None) -> None:
        self._posted = None
        if error is not None:
            self._degrade()
        elif self._outbox:
            self._wake()
        else:
            self._settled()

    def _next(self) -> Outgoing | Chunks:
        item = self._outbox.take()
        assert item is not None  # noqa: S101 - what was posted was queued before, and what clears that withdraws the post
        if isinstance(item, Delta):
            if self._chunks is None:
                self._chunks = Chunks(self._request, self._run, self._attempt)
            return self._chunks.next(item)
        return to_caller(self._request, self._compose(item))

    def _compose(self, item: Announcement | InLine) -> Composed:
        if isinstance(item, InLine):
            self._waits += 1
            return compose_waiting(self._request, self._waits, item.position, item.estimate_ms)
        if item.reason is None:
            return compose_accepted(self._request, item.attempt, self._worker)
        return compose_restarted(self._request, self._run, item.attempt, item.reason)

    def _degrade(self) -> None:
        self._degraded = True
        self._outbox.clear()
        if self._posted is not None:
            self._posted.withdraw()
            self._posted = None
        self._settled()

    def _settled(self) -> None:
        if self._all_sent is not None and not self._all_sent.done():
            self._all_sent.set_result(None)
