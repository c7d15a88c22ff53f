"""One trace from a caller's publish to its terminal reply, as a collector gets it over OTLP."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fleet_client import Fleet
from fleet_simulator.config import DEFAULT_KEY, SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import serve
from fleet_worker.bootstrap import start_worker
from harness.caller import a_caller
from harness.collector import Collector, Seen, a_collector
from harness.house import a_house, worker_settings

pytestmark = pytest.mark.sockets

CANARY = "canary-of-the-trace"
ASKED: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": f"Say {CANARY}"}],
    "thinking": {"type": "disabled"},
    "stream": True,
    "temperature": 0.5,
}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, SPAN = PARENT.split("-")[1:3]
PROCESS, WAIT, CALL = "process deepseek.requests", "wait deepseek.requests", "chat deepseek-flash"


def traced(collector: Collector) -> dict[str, Any]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}


def below(span: Seen, spans: list[Seen]) -> set[str]:
    return {each.name for each in spans if each.parent == span.id}


async def test_a_request_is_one_trace_below_its_callers_span(fleet_vhost: str):
    async with a_collector() as collector, a_house(fleet_vhost, **traced(collector)) as house:
        await house.caller.ask(ASKED, headers={"traceparent": PARENT, "tracestate": "a=b"})
        replies = await house.caller.until_end()
    work = collector.the(PROCESS)
    assert {span.trace for span in collector.spans} == {TRACE}
    assert (work.parent, work.kind, work.failed) == (SPAN, "consumer", False)
    assert below(work, collector.spans) == {"claim", "wait for permit", CALL, "commit", "send terminal reply"}
    assert work.attributes["messaging.message.conversation_id"] == replies[-1]["correlation_id"]
    assert work.attributes["fleet.outcome"] == "result"
    assert work.attributes["fleet.chunks"] == sum(reply["kind"] == "chunk" for reply in replies)
    assert collector.resources[0]["service.name"] == "deepseek-fleet-worker"
    assert collector.resources[0]["service.instance.id"] == "w-1"


async def test_an_upstream_call_speaks_the_words_of_the_genai_conventions_and_has_no_content(
    fleet_vhost: str,
):
    async with a_collector() as collector, a_house(fleet_vhost, **traced(collector)) as house:
        await house.caller.ask(ASKED)
        result = (await house.caller.until_end())[-1]
    call, usage = collector.the(CALL), result["response"]["usage"]
    assert call.kind == "client"
    assert call.events == ("first content",)
    assert call.attributes["gen_ai.operation.name"] == "chat"
    assert call.attributes["gen_ai.provider.name"] == "deepseek"
    assert call.attributes["gen_ai.request.temperature"] == 0.5
    assert call.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert call.attributes["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert call.attributes["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    assert call.attributes["fleet.attempt"] == 1
    text = result["response"]["choices"][0]["message"]["content"]
    for secret in (CANARY, text[:20], DEFAULT_KEY):
        assert secret.encode() not in collector.raw


async def test_each_attempt_has_a_span_that_links_to_the_one_before_it(fleet_vhost: str):
    async with a_collector() as collector, a_house(fleet_vhost, **traced(collector)) as house:
        house.simulator.inject(Fault(Kind.STATUS, match=Match(nth=1), status=503))
        await house.caller.ask(ASKED)
        await house.caller.until_end()
    first, second = collector.named(CALL)
    assert (first.failed, first.attributes["error.type"]) == (True, "upstream_unavailable")
    assert first.attributes["http.response.status_code"] == 503
    assert (second.failed, second.attributes["fleet.attempt"]) == (False, 2)
    assert second.links == ((first.trace, first.id, "superseded"),)


async def test_a_redelivered_request_stays_in_its_trace_and_links_to_the_delivery_before(fleet_vhost: str):
    slow = SimulatorConfig(timing=Timing(headers=0, first_token=0, tokens_per_second=10))
    async with a_collector() as collector, a_caller(fleet_vhost) as caller:
        async with serve(slow) as running:
            settings = worker_settings(fleet_vhost, running.base_url, **traced(collector))
            async with start_worker(settings) as worker:
                await caller.ask(ASKED)  # nobody names a trace: the two workers find the same one
                assert (await caller.next())["kind"] == "accepted"
                await worker.drain(0)
        async with a_house(fleet_vhost, **traced(collector)):
            await caller.until_end()
    first, second = sorted(collector.named(PROCESS), key=lambda span: len(span.links))
    assert first.attributes["error.type"] == "CancelledError"
    assert second.links == ((first.trace, first.id, "redelivery"),)
    assert second.trace == first.trace


async def test_the_clients_publish_is_the_parent_and_its_callers_span_above_it(
    fleet_vhost: str, monkeypatch: pytest.MonkeyPatch
):
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    async with (
        a_collector() as collector,
        a_house(fleet_vhost, **traced(collector)) as house,
        Fleet(house.url, tenant="acme") as fleet,
    ):
        with provider.get_tracer("backend").start_as_current_span("handle order") as order:
            await fleet.complete("Why?")
    published = next(span for span in kept.get_finished_spans() if span.name == "send deepseek.requests")
    context = published.get_span_context()
    assert context is not None
    assert published.kind is trace.SpanKind.PRODUCER
    assert published.parent is not None
    assert published.parent.span_id == order.get_span_context().span_id
    work = collector.the(PROCESS)
    assert (work.trace, work.parent) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


async def test_headers_that_are_no_trace_context_do_no_harm(fleet_vhost: str):
    async with a_collector() as collector, a_house(fleet_vhost, **traced(collector)) as house:
        await house.caller.ask(ASKED, headers={"traceparent": 7, "tracestate": "\x00,,="})
        assert (await house.caller.until_end())[-1]["kind"] == "result"
    assert collector.the(PROCESS).parent == ""
