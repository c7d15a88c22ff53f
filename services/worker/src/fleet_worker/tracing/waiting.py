"""The span of waiting for a permit, and what is said of a request that is put aside."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from fleet_worker.deadline import Deadline
from fleet_worker.permitting import Limiter, Permit, Tell
from fleet_worker.postponed import PostponedError
from fleet_worker.postponing import ParkingLot
from fleet_worker.request import Request
from fleet_worker.tracing import course
from fleet_worker.tracing.spans import Opening, Tracer


@dataclass(frozen=True, slots=True)
class TracedLimiter:
    """Opens a span for each wait."""

    inner: Limiter
    tracer: Tracer

    async def acquire(self, request: Request, deadline: Deadline, tell: Tell) -> Permit:
        """As the protocol says."""
        attributes = {"fleet.lane": str(request.lane), "gen_ai.request.model": request.model}
        with self.tracer.span(Opening(name="wait for permit", attributes=attributes)) as span:
            permit = await self.inner.acquire(request, deadline, tell)
            span.say({"fleet.account": permit.account})
            return permit


@dataclass(frozen=True, slots=True)
class TracedParking:
    """Says of a request's span that it was put aside, and why."""

    inner: ParkingLot

    def check_due(self, request: Request) -> None:
        """As the protocol says."""
        self.inner.check_due(request)

    def in_time(self, request: Request) -> AbstractContextManager[None]:
        """As the protocol says."""
        return self.inner.in_time(request)

    async def park(self, request: Request, postponed: PostponedError) -> None:
        """As the protocol says."""
        await self.inner.park(request, postponed)
        said = {"fleet.parked": str(postponed.reason), "fleet.parked_s": round(postponed.wait_s, 3)}
        course.current.get().span.say(said)
