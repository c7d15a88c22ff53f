"""What a worker shows of its own state, looked up whenever somebody asks for its metrics."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge

from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.loop_lag import lag_histogram, watch_lag
from fleet_chassis.metrics import Described, Registry
from fleet_chassis.tasks import owned
from fleet_worker.conversations.observing import ConversationObserver
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.limiter.observing import LimiterObserver
from fleet_worker.observing import Observer
from fleet_worker.readiness import Readiness
from fleet_worker.settings import WorkerSettings
from fleet_worker.shared_store import up_gauge
from fleet_worker.upstream_health.observing import HealthObserver


class StateMetrics:
    """Gauges of the worker itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ready = Gauge("fleet_ready", "1 while the worker takes requests", registry=registry)
        self.capacity = Gauge(
            "fleet_requests_capacity", "Requests that the worker has in work at most", registry=registry
        )
        self.waiting = Gauge(
            "fleet_deliveries_waiting", "Deliveries that wait in the worker for room", registry=registry
        )
        self.oldest = Gauge(
            "fleet_oldest_request_seconds", "Age of the oldest request in work", registry=registry
        )
        self.info = Gauge(
            "fleet_worker_info",
            "1, with the version of the worker and its name",
            ["version", "worker"],
            registry=registry,
        )


@asynccontextmanager
async def showing(
    registry: CollectorRegistry,
    readiness: Readiness,
    supervisor: Supervisor,
    settings: WorkerSettings,
    clock: Clock,
) -> AsyncGenerator[None]:
    """Show the worker's state for the length of the block."""
    state = StateMetrics(registry)
    state.ready.set_function(lambda: float(readiness.why_not() is None))
    state.waiting.set_function(lambda: supervisor.waiting)
    state.oldest.set_function(lambda: supervisor.oldest_s)
    state.capacity.set(settings.concurrency)
    state.info.labels(version("deepseek-fleet-worker"), settings.worker_name).set(1)
    async with owned(watch_lag(lag_histogram(registry), clock), get_log("worker")):
        yield


def every_metric() -> list[Described]:
    """Every metric of a worker, as `/metrics` shows it."""
    registry, log = Registry(), get_log("metrics")
    Observer(registry, log)
    LedgerObserver(registry, log)
    ConversationObserver(registry, log)
    LimiterObserver(registry, log)
    HealthObserver(registry, log)
    StateMetrics(registry)
    lag_histogram(registry)
    up_gauge(registry)
    return registry.described()
