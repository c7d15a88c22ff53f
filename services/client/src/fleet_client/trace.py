"""The one door to OpenTelemetry: the W3C Trace Context of calls, and the span of each publish.

It is used where the program itself has imported it; otherwise nothing is imported, and nothing recorded.
"""

import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from fleet_client.errors import InvalidRequest
from fleet_contracts import headers

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)
_LONGEST_TRACESTATE = 512
_SCOPE = "fleet_client"


def trace_headers(traceparent: str | None, tracestate: str | None) -> dict[str, str]:
    """The headers to publish a request with.

    Source: https://www.w3.org/TR/trace-context/, sections 3.2 and 3.3.

    Args:
        traceparent: the caller's own; where left out, the current span of OpenTelemetry counts, if there
            is one.
        tracestate: goes with `traceparent`.

    Raises:
        InvalidRequest: `traceparent` is none.
    """
    if traceparent is None:
        return _of_the_current_span()
    if _TRACEPARENT.fullmatch(traceparent) is None:
        raise InvalidRequest(
            "traceparent must look like 00-<32 hex digits>-<16 hex digits>-<2 hex digits>. Pass the header "
            "as it came in, or leave it out."
        )
    return _named(traceparent, tracestate or "")


@contextmanager
def publishing(
    sent: Mapping[str, Any], destination: str, correlation_id: str, routing_key: str
) -> Generator[dict[str, Any]]:
    """The span of a publish, for the length of a block; yields `sent` with it in place of its parent.

    Source: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/

    Args:
        sent: the request's headers; their `traceparent` names the parent, and stays where nothing records.
        destination: the exchange.
        correlation_id: the request's.
        routing_key: the message's.
    """
    opentelemetry = _opentelemetry()
    if opentelemetry is None:
        yield dict(sent)
        return
    span = opentelemetry.get_tracer(_SCOPE).start_span(
        f"send {destination}",
        context=_parent(opentelemetry, sent),
        kind=opentelemetry.SpanKind.PRODUCER,
        attributes={
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": destination,
            "messaging.rabbitmq.destination.routing_key": routing_key,
            "messaging.message.conversation_id": correlation_id,
        },
    )
    try:
        yield {**sent, **(_of(span) if span.is_recording() else {})}
    except BaseException as error:
        # By its class alone: a text may quote what was asked.
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(opentelemetry.Status(opentelemetry.StatusCode.ERROR))
        raise
    finally:
        span.end()


def _opentelemetry() -> Any:
    # Looked up instead of imported: a span can only be current, and somebody only listen, where the program
    # has imported OpenTelemetry.
    return sys.modules.get("opentelemetry.trace")


def _parent(opentelemetry: Any, sent: Mapping[str, Any]) -> Any:
    traceparent = sent.get(headers.TRACEPARENT)
    if traceparent is None:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    context = opentelemetry.SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=False,
        trace_flags=opentelemetry.TraceFlags(int(flags, 16)),
        trace_state=opentelemetry.TraceState.from_header([sent.get(headers.TRACESTATE, "")]),
    )
    return opentelemetry.set_span_in_context(opentelemetry.NonRecordingSpan(context))


def _of_the_current_span() -> dict[str, str]:
    opentelemetry = _opentelemetry()
    return {} if opentelemetry is None else _of(opentelemetry.get_current_span())


def _of(span: Any) -> dict[str, str]:
    context = span.get_span_context()
    if not context.is_valid:
        return {}
    traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    return _named(traceparent, context.trace_state.to_header())


def _named(traceparent: str, tracestate: str) -> dict[str, str]:
    found = {headers.TRACEPARENT: traceparent}
    if 0 < len(tracestate) <= _LONGEST_TRACESTATE:
        found[headers.TRACESTATE] = tracestate
    return found
