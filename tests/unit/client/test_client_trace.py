"""Trace context: given, taken from OpenTelemetry, or left out."""

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from fleet_client.errors import InvalidRequest
from fleet_client.trace import trace_headers

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SPAN = NonRecordingSpan(
    SpanContext(
        trace_id=0x0AF7651916CD43DD8448EB211C80319C,
        span_id=0xB7AD6B7169203331,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([("vendor", "x")]),
    )
)


def test_what_the_caller_says_counts() -> None:
    with trace.use_span(SPAN):
        other = TRACEPARENT.replace("b7ad", "aaaa")
        assert trace_headers(other, None) == {"traceparent": other}
    assert trace_headers(TRACEPARENT, "a=b") == {"traceparent": TRACEPARENT, "tracestate": "a=b"}


def test_the_current_span_of_opentelemetry_is_the_parent() -> None:
    with trace.use_span(SPAN):
        assert trace_headers(None, None) == {"traceparent": TRACEPARENT, "tracestate": "vendor=x"}


def test_without_a_current_span_nothing_is_sent() -> None:
    assert trace_headers(None, None) == {}


def test_a_program_without_opentelemetry_does_not_load_it() -> None:
    code = "import sys; from fleet_client.trace import trace_headers; print(trace_headers(None, None), "
    code += "any(name.startswith('opentelemetry') for name in sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "{} False\n"


@pytest.mark.parametrize(
    "wrong", ["", "yesterday", TRACEPARENT.upper(), TRACEPARENT + "\n", TRACEPARENT[:-1]]
)
def test_what_is_no_traceparent_is_told(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="traceparent"):
        trace_headers(wrong, None)


def test_a_tracestate_that_is_too_long_is_left_out() -> None:
    assert trace_headers(TRACEPARENT, "a=" + "b" * 600) == {"traceparent": TRACEPARENT}
