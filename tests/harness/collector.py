"""What takes spans over OTLP, as a collector does, and keeps them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Seen:
    """One span as it arrived; ids in hex."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str, str], ...]
    """Trace, span and why."""
    events: tuple[str, ...]
    failed: bool


@dataclass
class Collector:
    """Everything that came."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list[Seen])
    raw: bytearray = field(default_factory=bytearray)
    resources: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def named(self, name: str) -> list[Seen]:
        """The spans of this name, in the order in which they ended."""
        return [span for span in self.spans if span.name == name]

    def the(self, name: str) -> Seen:
        """The one span of this name."""
        (span,) = self.named(name)
        return span

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw += body
        said = ExportTraceServiceRequest.FromString(body)
        for resource in said.resource_spans:
            self.resources.append(_values(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += [_seen(span) for span in scope.spans]
        return web.Response(body=b"", content_type="application/x-protobuf")


@asynccontextmanager
async def a_collector() -> AsyncGenerator[Collector]:
    """One on a port of its own."""
    collector = Collector()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes([web.post(SPANS, collector.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port, *_ = runner.addresses[0]
        collector.url = f"http://{host}:{port}"
        yield collector
    finally:
        await runner.cleanup()


def _seen(span: Any) -> Seen:
    return Seen(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        attributes=_values(span.attributes),
        links=tuple(
            (link.trace_id.hex(), link.span_id.hex(), _values(link.attributes)["fleet.link"])
            for link in span.links
        ),
        events=tuple(event.name for event in span.events),
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
    )


def _values(attributes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in attributes:
        value = attribute.value
        kind = value.WhichOneof("value")
        if kind == "array_value":
            found[attribute.key] = [item.string_value for item in value.array_value.values]
        else:
            found[attribute.key] = getattr(value, kind)
    return found
