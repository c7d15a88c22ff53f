"""The span of a terminal reply on its way, and what its stream came to."""

from dataclasses import dataclass

from fleet_contracts.topology import RESULTS
from fleet_worker.ports import Replies, ReplyStream, Sent
from fleet_worker.request import Addressed, Refusal, Request
from fleet_worker.terminal import Terminal
from fleet_worker.tracing import course
from fleet_worker.tracing.attributes import of_publishing
from fleet_worker.tracing.spans import Kind, Opening, Tracer

NAME = "send terminal reply"


class TracedStream:
    """A reply stream whose end has a span. Chunks pass it by: each of them is the inner stream's own call."""

    def __init__(self, inner: ReplyStream, request: Request, tracer: Tracer) -> None:
        self._inner = inner
        self._request = request
        self._tracer = tracer
        self.accept = inner.accept
        self.restart = inner.restart
        self.retry = inner.retry
        self.wait = inner.wait
        self.send = inner.send
        self.close = inner.close

    async def settle(self) -> Sent:
        """As the protocol says."""
        sent = await self._inner.settle()
        chunks = sent.last_seq + 1 if self._request.stream else None
        course.current.get().span.say({"fleet.chunks": chunks, "fleet.degraded": sent.degraded or None})
        return sent

    async def finish(self, terminal: Terminal) -> None:
        """As the protocol says."""
        with self._tracer.span(_sending(self._request, terminal)):
            await self._inner.finish(terminal)


@dataclass(frozen=True, slots=True)
class TracedReplies:
    """Opens a span for each terminal reply of a request in work."""

    inner: Replies
    tracer: Tracer

    def open(self, request: Request) -> ReplyStream:
        """As the protocol says."""
        return TracedStream(self.inner.open(request), request, self.tracer)

    async def finish(self, request: Addressed, terminal: Terminal) -> None:
        """As the protocol says."""
        if course.current.get(None) is None:
            await self.inner.finish(request, terminal)
            return
        with self.tracer.span(_sending(request, terminal)):
            await self.inner.finish(request, terminal)

    async def refuse(self, refusal: Refusal) -> None:
        """As the protocol says."""
        await self.inner.refuse(refusal)


def _sending(request: Addressed, terminal: Terminal) -> Opening:
    return Opening(name=NAME, kind=Kind.PRODUCER, attributes=of_publishing(request, terminal.kind, RESULTS))
