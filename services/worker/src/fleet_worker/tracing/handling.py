"""The span of all work on one delivery of a request."""

from dataclasses import dataclass
from typing import Protocol

from fleet_chassis.logging import bound
from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome
from fleet_worker.request import Request
from fleet_worker.tracing import course
from fleet_worker.tracing.attributes import of_processing, word_of_delivery, word_of_request
from fleet_worker.tracing.spans import Kind, Link, Opening, Tracer

REDELIVERY = "redelivery"


class Handles(Protocol):
    """Brings one request to its end."""

    async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        """What to do with its delivery."""
        ...


@dataclass(frozen=True, slots=True)
class TracedHandler:
    """Opens the span that all others of a request are below, under the span of who asked."""

    inner: Handles
    tracer: Tracer
    exchange: str
    """What the queues of requests are called together: spans are grouped by their name."""

    async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        """As the protocol says."""
        with (
            self.tracer.continuing(request.published.headers, word_of_request(request.key)),
            self.tracer.span(self._processing(request)) as span,
            bound(trace=span.trace),
        ):
            self._note_wait(request)
            token = course.current.set(course.Course(span))
            try:
                outcome = await self.inner.handle(request, delivery)
            finally:
                course.current.reset(token)
            span.say({"fleet.delivery": outcome.value})
            return outcome

    def _processing(self, request: Request) -> Opening:
        links = [Link(word_of_delivery(request, request.deliveries - 1), REDELIVERY)]
        return Opening(
            name=f"process {self.exchange}",
            kind=Kind.CONSUMER,
            attributes=of_processing(request, self.exchange),
            links=links if request.deliveries else (),
            word=word_of_delivery(request, request.deliveries),
        )

    def _note_wait(self, request: Request) -> None:
        # What came back was in work in between, which has spans of its own.
        if request.published.at_ms is None or request.deliveries or request.parked_until_ms is not None:
            return
        self.tracer.past(Opening(name=f"wait {self.exchange}", start_ms=request.published.at_ms))
