"""What operators see of the requests: one log line at the end of each, and metrics with bounded labels."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fleet_chassis.logging import Log
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.postponed import Reason
from fleet_worker.request import Refusal, Request

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Observer:
    """Counts and logs; never sees or shows the text of a request or an answer."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        self._log = log
        self._ended = Counter(
            "fleet_requests_ended", "Requests that ended here", ["lane", "outcome"], registry=registry
        )
        self._refused = Counter("fleet_publishes_refused", "Publishes refused", ["code"], registry=registry)
        self._attempts = Counter("fleet_attempts", "Upstream calls started", registry=registry)
        self._cancels = Counter("fleet_cancels", "Cancels carried out", ["found"], registry=registry)
        self._buried = Counter("fleet_dead_letters", "Dead letters written", ["code"], registry=registry)
        self._parked = Counter(
            "fleet_requests_parked", "Requests put aside", ["reason", "rung"], registry=registry
        )
        self._seconds = Histogram(
            "fleet_request_seconds",
            "From delivery to the terminal reply",
            ["lane"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._reconnects = Counter(
            "fleet_broker_reconnects", "Connections to the broker made anew", registry=registry
        )
        self.in_flight = Gauge("fleet_requests_in_flight", "Requests in work", registry=registry)

    def broker_lost(self) -> None:
        """The connection that requests come in by is gone; calls under way go on."""
        self._log.warning("broker connection lost")

    def broker_back(self) -> None:
        """The connection stands again."""
        self._reconnects.inc()
        self._log.info("broker connection back")

    def attempted(self) -> None:
        """An upstream call starts."""
        self._attempts.inc()

    def ended(self, request: Request, outcome: str, attempts: int, total_ms: int) -> None:
        """A request ended; `outcome` is `result` or an error code."""
        self._ended.labels(request.lane, outcome).inc()
        self._seconds.labels(request.lane).observe(total_ms / 1000)
        self._log.info("request ended", outcome=outcome, attempts=attempts, total_ms=total_ms)

    def failed(self, error: CompletionError) -> None:
        """An upstream call failed; it may be tried again."""
        upstream = error.upstream
        self._log.warning(
            "attempt failed",
            code=str(error.code),
            again=error.again,
            status=upstream.status if upstream else None,
            trace_id=upstream.trace_id if upstream else None,
        )

    def parked(self, reason: Reason, rung_s: int) -> None:
        """A request was put aside for `rung_s` seconds."""
        self._parked.labels(reason, str(rung_s)).inc()
        self._log.info("request parked", reason=str(reason), seconds=rung_s)

    def refused(self, refusal: Refusal, size: int) -> None:
        """A publish was refused; `size` in bytes."""
        self._refused.labels(refusal.code).inc()
        self._log.warning("publish refused", code=str(refusal.code), tenant=refusal.tenant, bytes=size)

    def cancelled(self, found: str) -> None:
        """A cancel was carried out; `found` says how: what was the request's state?"""
        self._cancels.labels(found).inc()
        self._log.info("cancelled", found=found)

    def buried(self, code: ErrorCode, reason: str | None) -> None:
        """A dead letter was written; `reason` is the broker's word where it put the message aside."""
        self._buried.labels(code).inc()
        self._log.warning("dead letter written", code=str(code), reason=reason)

    def broke(self, error: Exception) -> CompletionError:
        """A bug: logged here with its class, told to the caller as `internal`."""
        self._log.error("a bug ended a request", error=error)  # a traceback would show content
        failure = CompletionError(
            ErrorCode.INTERNAL,
            "the fleet failed on this request: ask again, and tell its operators if that fails too",
            again=False,
        )
        failure.__cause__ = error
        return failure
