"""Whether traces are wanted, and what then stands around the worker's ports."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.settings import SettingsError
from fleet_contracts.topology import REQUESTS
from fleet_worker.permitting import Limiter
from fleet_worker.ports import Completions, Ledger, Replies
from fleet_worker.postponing import ParkingLot
from fleet_worker.settings import WorkerSettings
from fleet_worker.tracing.calling import TracedCompletions
from fleet_worker.tracing.handling import Handles, TracedHandler
from fleet_worker.tracing.keeping import TracedLedger
from fleet_worker.tracing.replying import TracedReplies
from fleet_worker.tracing.spans import Tracer
from fleet_worker.tracing.waiting import TracedLimiter, TracedParking

SERVICE = "deepseek-fleet-worker"
MISSING = (
    "Traces are asked for by OTEL_TRACES_EXPORTER or OTEL_EXPORTER_OTLP_ENDPOINT, and OpenTelemetry is not "
    "installed: install deepseek-fleet-worker[tracing], or set OTEL_TRACES_EXPORTER=none."
)


@dataclass(frozen=True, slots=True)
class Tracing:
    """Puts spans around ports; without a tracer it hands back each port as it is: off costs nothing."""

    tracer: Tracer | None
    clock: Clock

    def handler(self, inner: Handles) -> Handles:
        """The story of one request."""
        return inner if self.tracer is None else TracedHandler(inner, self.tracer, REQUESTS)

    def completions(self, inner: Completions, base_url: str) -> Completions:
        """Upstream calls to a base URL."""
        if self.tracer is None:
            return inner
        return TracedCompletions(inner, self.tracer, base_url, self.clock)

    def limiter(self, inner: Limiter) -> Limiter:
        """Permits."""
        return inner if self.tracer is None else TracedLimiter(inner, self.tracer)

    def ledger(self, inner: Ledger) -> Ledger:
        """Claims and commits."""
        return inner if self.tracer is None else TracedLedger(inner, self.tracer)

    def replies(self, inner: Replies) -> Replies:
        """Terminal replies."""
        return inner if self.tracer is None else TracedReplies(inner, self.tracer)

    def parking(self, inner: ParkingLot) -> ParkingLot:
        """What is put aside."""
        return inner if self.tracer is None else TracedParking(inner)


@asynccontextmanager
async def open_tracing(
    settings: WorkerSettings, clock: Clock, chance: random.Random
) -> AsyncGenerator[Tracing]:
    """What the OTEL_… variables ask for; leaving sends the last spans.

    Raises:
        SettingsError: traces are asked for, and OpenTelemetry is not installed.
    """
    tracer = _tracer(settings, chance)
    try:
        yield Tracing(tracer, clock)
    finally:
        if tracer is not None:
            await asyncio.to_thread(tracer.close)


def exporter_of(settings: WorkerSettings) -> str | None:
    """Which exporter is asked for, if any.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/; unlike there,
    nothing is sent where nothing is set.
    """
    if settings.otel_sdk_disabled or settings.otel_traces_exporter == "none":
        return None
    if settings.otel_traces_exporter:
        return settings.otel_traces_exporter
    return "otlp" if endpoint_of(settings) else None


def endpoint_of(settings: WorkerSettings) -> str | None:
    """The URL that spans are sent to, where one is set."""
    if settings.otel_exporter_otlp_traces_endpoint:
        return settings.otel_exporter_otlp_traces_endpoint
    base = settings.otel_exporter_otlp_endpoint.rstrip("/")
    return f"{base}/v1/traces" if base else None


def _tracer(settings: WorkerSettings, chance: random.Random) -> Tracer | None:
    exporter = exporter_of(settings)
    if exporter is None:
        return None
    try:
        # Late: it takes a third of a second and ten packages that most workers never need.
        from fleet_worker.tracing.door import OpenTelemetry, exporter_to
    except ImportError as error:
        raise SettingsError(MISSING) from error
    resource = {
        "service.name": SERVICE,
        "service.version": version(SERVICE),
        "service.instance.id": settings.worker_name,
    }
    return OpenTelemetry(exporter_to(exporter, endpoint_of(settings)), resource, chance, get_log("traces"))
