"""The span of one upstream call."""

from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_worker.completion import Completion, CompletionError, Emit
from fleet_worker.deadline import Deadline
from fleet_worker.ports import Completions
from fleet_worker.request import Request
from fleet_worker.tracing import course
from fleet_worker.tracing.attributes import of_call, of_completion, of_error, operation_of, word_of_attempt
from fleet_worker.tracing.spans import Kind, Link, Opening, Span, Tracer

SUPERSEDED = "superseded"
FIRST_CONTENT = "first content"


@dataclass(frozen=True, slots=True)
class TracedCompletions:
    """Opens a span for each upstream call; an attempt follows the one before it, wherever that ran."""

    inner: Completions
    tracer: Tracer
    base_url: str
    clock: Clock

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        """As the protocol says."""
        now = course.current.get()
        now.calls += 1
        began_ms = self.clock.now_ms()
        with self.tracer.span(self._calling(request, now)) as span:
            try:
                completion = await self.inner.complete(request, deadline, emit)
            except CompletionError as error:
                span.say(of_error(error))
                _note_first_content(span, began_ms, error.first_content_ms)
                raise
            span.say(of_completion(completion))
            _note_first_content(span, began_ms, completion.first_content_ms)
            return completion

    def _calling(self, request: Request, now: course.Course) -> Opening:
        goes_on, before = now.calls > 1, now.attempt - 1
        return Opening(
            name=f"{operation_of(request)} {request.model}",
            kind=Kind.CLIENT,
            attributes={
                **of_call(request, self.base_url, now.attempt),
                "fleet.goes_on": goes_on or None,
                "fleet.restarted": None if goes_on else now.void,
            },
            links=[Link(word_of_attempt(request.key, before), SUPERSEDED)] if before and not goes_on else (),
            word="" if goes_on else word_of_attempt(request.key, now.attempt),
        )


def _note_first_content(span: Span, began_ms: int, after_ms: int | None) -> None:
    if after_ms is not None:
        span.event(FIRST_CONTENT, began_ms + after_ms)
