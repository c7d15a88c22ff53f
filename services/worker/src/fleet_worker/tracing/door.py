"""The one door to OpenTelemetry. It is not even imported where nobody asks for traces."""

import hashlib
import logging
import random
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from fleet_chassis.logging import Log
from fleet_contracts.headers import TRACEPARENT, TRACESTATE
from fleet_worker.tracing.spans import Attributes, Kind, Link, Opening, Span, Value

SCOPE = "fleet_worker"
LAST_SPANS_MS = 5_000
_NS_A_MS = 1_000_000
_KINDS = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.CONSUMER: SpanKind.CONSUMER,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CLIENT: SpanKind.CLIENT,
}
# It says several times for each batch, and in its own words, what `Told` says once.
_TALKATIVE = "opentelemetry.exporter"
_W3C = TraceContextTextMapPropagator()


def exporter_to(kind: str, endpoint: str | None) -> SpanExporter:
    """Where spans go.

    Args:
        kind: `otlp` or `console`, as OTEL_TRACES_EXPORTER has it.
        endpoint: the whole URL for spans; what OpenTelemetry itself reads from the environment where None.
    """
    return ConsoleSpanExporter() if kind == "console" else OTLPSpanExporter(endpoint=endpoint)


class OpenTelemetry:
    """A `Tracer` over OpenTelemetry's SDK, which reads everything else (OTEL_…) from the environment itself.

    Args:
        exporter: where spans go.
        resource: what is said of the process itself; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME go first.
        chance: makes the ids that nobody needs to know beforehand.
        log: is told when spans can't be sent, and when they are again.
    """

    def __init__(
        self, exporter: SpanExporter, resource: Mapping[str, str], chance: random.Random, log: Log
    ) -> None:
        self._ids = _Ids(chance)
        told = OTELResourceDetector().detect()
        self._provider = TracerProvider(
            resource=Resource.create(dict(resource)).merge(told), id_generator=self._ids
        )
        self._provider.add_span_processor(BatchSpanProcessor(Told(exporter, log)))
        self._tracer = self._provider.get_tracer(SCOPE)

    @contextmanager
    def continuing(self, headers: Mapping[str, Any], word: str) -> Generator[None]:
        """As the protocol says."""
        named = {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if _is_text(headers.get(name))}
        context = _W3C.extract(named)
        found = trace.get_current_span(context).get_span_context().is_valid
        self._ids.trace = 0 if found else _number(f"trace {word}", 16)
        token = attach(context)
        try:
            yield
        finally:
            detach(token)

    @contextmanager
    def span(self, opening: Opening) -> Generator[Span]:
        """As the protocol says."""
        span = self._start(opening)
        try:
            # A recorded exception would carry its text, and texts of libraries may quote a prompt.
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield _Span(span)
        except BaseException as error:
            _note(span, error)
            raise
        finally:
            span.end()

    def past(self, opening: Opening) -> None:
        """As the protocol says."""
        self._start(opening).end()

    def close(self) -> None:
        """As the protocol says."""
        self._provider.force_flush(LAST_SPANS_MS)
        self._provider.shutdown()

    def _start(self, opening: Opening) -> trace.Span:
        current = trace.get_current_span().get_span_context()
        self._ids.span = _number(f"span {opening.word}", 8) if opening.word else 0
        trace_id = current.trace_id if current.is_valid else self._ids.trace
        return self._tracer.start_span(
            opening.name,
            kind=_KINDS[opening.kind],
            attributes=_said(opening.attributes),
            links=[_linked(link, trace_id, current.trace_flags) for link in opening.links],
            start_time=None if opening.start_ms is None else opening.start_ms * _NS_A_MS,
        )


class Told(SpanExporter):
    """Says once that the collector is away, and once that it is back; nothing of a worker waits for it."""

    def __init__(self, inner: SpanExporter, log: Log) -> None:
        self._inner = inner
        self._log = log
        self._away = False
        logging.getLogger(_TALKATIVE).setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the protocol says."""
        result = self._inner.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            self._log.warning("the collector takes no traces: they are dropped until it does")
        if self._away and not away:
            self._log.info("the collector takes traces again")
        self._away = away
        return result

    def shutdown(self) -> None:
        """As the protocol says."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = LAST_SPANS_MS) -> bool:
        """As the protocol says."""
        return self._inner.force_flush(timeout_millis)


class _Ids(IdGenerator):
    """Gives the next span the ids that it is to have. One thread opens all spans, so none comes between."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.trace = 0
        self.span = 0

    def generate_span_id(self) -> int:
        wanted, self.span = self.span, 0
        return wanted or self._chance.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        wanted, self.trace = self.trace, 0
        return wanted or self._chance.getrandbits(128) or 1


class _Span:
    """A `Span` over OpenTelemetry's."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def say(self, attributes: Attributes) -> None:
        self._span.set_attributes(_said(attributes))

    def event(self, name: str, at_ms: int | None = None) -> None:
        self._span.add_event(name, timestamp=None if at_ms is None else at_ms * _NS_A_MS)

    def failed(self, error: str) -> None:
        self._span.set_attribute("error.type", error)
        self._span.set_status(Status(StatusCode.ERROR))


def _note(span: trace.Span, error: BaseException) -> None:
    _Span(span).failed(str(getattr(error, "code", None) or type(error).__qualname__))


def _said(attributes: Attributes) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}


def _linked(link: Link, trace_id: int, flags: TraceFlags) -> trace.Link:
    context = SpanContext(trace_id, _number(f"span {link.word}", 8), is_remote=True, trace_flags=flags)
    return trace.Link(context, {"fleet.link": link.why})


def _number(word: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(word.encode(errors="replace")).digest()[:size]) or 1


def _is_text(value: object) -> bool:
    return isinstance(value, str)
