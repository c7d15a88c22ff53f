"""W3C Trace Context of a call: what the caller says, or else the span that OpenTelemetry holds current."""

import re
import sys
from typing import Any

from fleet_client.errors import InvalidRequest
from fleet_contracts import headers

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)
_LONGEST_TRACESTATE = 512


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


def _of_the_current_span() -> dict[str, str]:
    # Looked up instead of imported: a span can only be current where the program has imported OpenTelemetry.
    opentelemetry: Any = sys.modules.get("opentelemetry.trace")
    if opentelemetry is None:
        return {}
    context = opentelemetry.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    return _named(traceparent, context.trace_state.to_header())


def _named(traceparent: str, tracestate: str) -> dict[str, str]:
    found = {headers.TRACEPARENT: traceparent}
    if 0 < len(tracestate) <= _LONGEST_TRACESTATE:
        found[headers.TRACESTATE] = tracestate
    return found
