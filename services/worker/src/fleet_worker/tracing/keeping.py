"""The spans of what is asked of the ledger."""

from dataclasses import dataclass

from fleet_worker.deadline import Deadline
from fleet_worker.hold import DeliveryLease, Hold
from fleet_worker.ports import CancelSeen, Claim, Granted, Ledger
from fleet_worker.request import Request, RequestKey
from fleet_worker.terminal import Terminal
from fleet_worker.tracing import course
from fleet_worker.tracing.spans import Opening, Tracer


@dataclass(frozen=True, slots=True)
class TracedLedger:
    """Opens a span for each claim and commit of a request in work, and learns which attempt begins."""

    inner: Ledger
    tracer: Tracer

    async def claim(self, request: Request, delivery: DeliveryLease) -> Claim:
        """As the protocol says."""
        if course.current.get(None) is None:
            return await self.inner.claim(request, delivery)
        with self.tracer.span(Opening(name="claim")) as span:
            claim = await self.inner.claim(request, delivery)
            before = claim.hold.attempts if isinstance(claim, Granted) else None
            span.say({"fleet.claim": type(claim).__name__, "fleet.attempts_before": before})
            return claim

    async def begin_attempt(self, hold: Hold) -> int:
        """As the protocol says."""
        number = await self.inner.begin_attempt(hold)
        now = course.current.get()
        now.attempt, now.calls, now.void = number, 0, hold.void
        return number

    async def go_on(self, hold: Hold) -> None:
        """As the protocol says."""
        await self.inner.go_on(hold)

    async def commit(self, hold: Hold, terminal: Terminal, deadline: Deadline) -> Terminal:
        """As the protocol says."""
        now = course.current.get(None)
        if now is None:
            return await self.inner.commit(hold, terminal, deadline)
        with self.tracer.span(Opening(name="commit")):
            stored = await self.inner.commit(hold, terminal, deadline)
        now.span.say({"fleet.outcome": str(stored.outcome), "fleet.attempts": stored.attempt})
        if stored.kind == "failure":
            now.span.failed(str(stored.outcome))
        return stored

    async def release(self, hold: Hold) -> None:
        """As the protocol says."""
        await self.inner.release(hold)

    def drain(self) -> None:
        """As the protocol says."""
        self.inner.drain()

    async def cancel(self, key: RequestKey) -> Hold | CancelSeen:
        """As the protocol says."""
        return await self.inner.cancel(key)
