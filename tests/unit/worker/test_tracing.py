"""When traces are sent, and what their spans are called and say."""

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from fleet_chassis.clock import SystemClock
from fleet_chassis.logging import get_log
from fleet_worker.completion import Completion
from fleet_worker.settings import WorkerSettings
from fleet_worker.tracing.attributes import of_call, of_completion, word_of_delivery
from fleet_worker.tracing.door import Told
from fleet_worker.tracing.opening import Tracing, endpoint_of, exporter_of
from harness.requests import a_request, a_response
from harness.worker_fakes import ScriptedCompletions

BASE = {"AMQP_URL": "amqp://broker/", "DEEPSEEK_API_KEY": "sk"}


def told(**variables: str) -> WorkerSettings:
    return WorkerSettings.model_validate({**BASE, **variables})


@pytest.mark.parametrize(
    ("variables", "exporter"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, None),
    ],
)
def test_traces_are_sent_only_where_the_standard_variables_ask_for_them(
    variables: dict[str, str], exporter: str | None
):
    assert exporter_of(told(**variables)) == exporter


def test_spans_go_below_the_endpoint_or_to_the_whole_url():
    assert endpoint_of(told(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318/")) == "http://c:4318/v1/traces"
    whole = "http://c/spans"
    assert endpoint_of(told(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=whole)) == whole
    assert endpoint_of(told()) is None


def test_without_traces_every_port_stays_as_it_is():
    port = ScriptedCompletions()
    assert Tracing(None, SystemClock()).completions(port, "http://upstream") is port


def test_a_collector_that_is_away_is_told_once_and_so_is_its_return():
    class Collector(InMemorySpanExporter):
        takes = SpanExportResult.SUCCESS

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - sends nothing
            return self.takes

    collector = Collector()
    with capture_logs() as logs:
        told_of = Told(collector, get_log("traces"))
        for takes in (True, False, False, True, True, False):
            collector.takes = SpanExportResult.SUCCESS if takes else SpanExportResult.FAILURE
            told_of.export([])
    assert [line["log_level"] for line in logs] == ["warning", "info", "warning"]


def test_a_field_of_the_callers_that_is_no_number_is_no_attribute():
    request = a_request(body={"model": "m", "temperature": "secret", "max_tokens": 7, "top_p": True})
    attributes = of_call(request, "https://api.deepseek.com", 2)
    assert "secret" not in str(attributes)
    assert attributes["gen_ai.request.max_tokens"] == 7
    assert attributes["gen_ai.request.top_p"] is None
    assert (attributes["server.address"], attributes["server.port"]) == ("api.deepseek.com", 443)


def test_an_answer_is_told_by_its_usage_and_never_by_its_text():
    attributes = of_completion(Completion(a_response("the secret"), "trace-1", 5, 9))
    assert attributes["gen_ai.usage.input_tokens"] == 5
    assert attributes["gen_ai.usage.output_tokens"] == 9
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 0
    assert "secret" not in str(attributes)


def test_each_delivery_of_a_message_and_each_parked_copy_has_a_name_of_its_own():
    first, again = a_request(), a_request(deliveries=1)
    parked = a_request(parked_until_ms=5)
    assert word_of_delivery(again, again.deliveries - 1) == word_of_delivery(first, first.deliveries)
    assert word_of_delivery(parked, 0) != word_of_delivery(first, 0)
