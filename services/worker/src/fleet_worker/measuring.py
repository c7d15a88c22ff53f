"""The metrics of requests and their upstream calls; every label has a bound."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fleet_chassis.metrics import Names
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import Lane
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.outcome import Outcome

MOST_MODELS = 20
_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_SHORT = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_COUNTS = (0, 1, 2, 3, 4, 5, 10)


class RequestMetrics:
    """What happens to requests, counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._models = Names(MOST_MODELS)
        self.ended = Counter(
            "fleet_requests_ended", "Requests that ended here", ["lane", "outcome"], registry=registry
        )
        self.refused = Counter("fleet_publishes_refused", "Publishes refused", ["code"], registry=registry)
        # Accounts are few, by configuration.
        self.attempts = Counter("fleet_attempts", "Upstream calls started", ["account"], registry=registry)
        self.answers = Counter(
            "fleet_answers", "Whole answers, by the account that paid", ["account"], registry=registry
        )
        self.handovers = Counter(
            "fleet_handovers",
            "Calls that an account, refused, paused or failing, left to another one",
            ["account"],
            registry=registry,
        )
        self._failed = Counter(
            "fleet_attempts_failed", "Upstream calls that failed", ["model", "code"], registry=registry
        )
        self.cancels = Counter("fleet_cancels", "Cancels carried out", ["found"], registry=registry)
        self.buried = Counter("fleet_dead_letters", "Dead letters written", ["code"], registry=registry)
        self.parked = Counter(
            "fleet_requests_parked", "Requests put aside", ["reason", "rung"], registry=registry
        )
        self.settled = Counter(
            "fleet_deliveries_settled",
            "Deliveries of the broker by what became of them",
            ["outcome"],
            registry=registry,
        )
        self.queued = Histogram(
            "fleet_queue_wait_seconds",
            "From the publish, where its time is known, to the first delivery",
            ["lane"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.seconds = Histogram(
            "fleet_request_seconds",
            "From delivery to the terminal reply",
            ["lane"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._call = Histogram(
            "fleet_call_seconds",
            "Upstream calls, to their end",
            ["model"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._first = Histogram(
            "fleet_first_content_seconds",
            "From the start of a streamed upstream call to its first text",
            ["model"],
            registry=registry,
            buckets=_SHORT,
        )
        self._gap = Histogram(
            "fleet_longest_gap_seconds",
            "The longest silence between two pieces of text of one upstream call",
            ["model"],
            registry=registry,
            buckets=_SHORT,
        )
        self.attempts_each = Histogram(
            "fleet_attempts_per_request",
            "Attempts of a request that ended, over all workers",
            registry=registry,
            buckets=_COUNTS,
        )
        self.billed_each = Histogram(
            "fleet_billed_attempts_per_request",
            "Upstream calls of a request that ended for which DeepSeek may send a bill, over all workers",
            registry=registry,
            buckets=_COUNTS,
        )
        self.chunks = Counter("fleet_chunks", "Chunks of the last attempts of requests", registry=registry)
        self.degraded = Counter(
            "fleet_streams_degraded", "Streams whose reader was too slow or gone", registry=registry
        )
        self.reconnects = Counter(
            "fleet_broker_reconnects",
            "Connections to the broker made anew",
            ["connection"],
            registry=registry,
        )
        self.revived = Counter(
            "fleet_consumers_revived",
            "Consumers that looked alive, brought nothing and were begun anew",
            ["why"],
            registry=registry,
        )
        self.in_flight = Gauge("fleet_requests_in_flight", "Requests in work", registry=registry)
        self.draining = Gauge("fleet_draining", "1 from the beginning of a drain", registry=registry)

        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        # A counter that appears with its first event has no increase then, and no alert would hear of it.
        for code in ErrorCode:
            self.buried.labels(code)
        for lane in Lane:
            for outcome in ("result", *ErrorCode):
                self.ended.labels(lane, outcome)
        for outcome in Outcome:
            self.settled.labels(outcome.value)
        for why in ("silent", "gone"):
            self.revived.labels(why)

    def called(self, model: str, ended: Completion | CompletionError | None) -> None:
        """An upstream call ended; None where it was cut off here."""
        label = self._models.of(model)
        if ended is None:
            return
        if isinstance(ended, CompletionError):
            self._failed.labels(label, ended.code).inc()
        self._call.labels(label).observe(ended.upstream_ms / 1000)
        if ended.first_content_ms is not None:
            self._first.labels(label).observe(ended.first_content_ms / 1000)
        if ended.longest_gap_ms is not None:
            self._gap.labels(label).observe(ended.longest_gap_ms / 1000)
