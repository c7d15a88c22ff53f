"""What operators see of the requests: one log line at the end of each, and metrics with bounded labels."""

from prometheus_client import CollectorRegistry

from fleet_chassis.logging import Log, note
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.measuring import RequestMetrics
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Sent
from fleet_worker.postponed import Reason
from fleet_worker.request import Refusal, Request

CONSUMING, PUBLISHING = "consuming", "publishing"


class Observer:
    """Counts and logs; shows no text of a request or an answer, unless `content` is on."""

    def __init__(self, registry: CollectorRegistry, log: Log, *, content: bool = False) -> None:
        self._log = log
        self._content = content
        self._metrics = RequestMetrics(registry)
        self.in_flight = self._metrics.in_flight

    def broker_lost(self) -> None:
        """The connection that requests come in by is gone; calls under way go on."""
        self._log.warning("broker connection lost")

    def broker_back(self) -> None:
        """The connection stands again."""
        self._metrics.reconnects.labels(CONSUMING).inc()
        self._log.info("broker connection back")

    def publisher_back(self) -> None:
        """The connection that replies leave by was lost, and stands again."""
        self._metrics.reconnects.labels(PUBLISHING).inc()
        self._log.info("publishing connection back")

    def consumer_revived(self, queue: str, why: str) -> None:
        """A consumer looked alive and brought nothing, and was begun anew."""
        self._metrics.revived.labels(why).inc()
        self._log.error("a consumer brought nothing and is begun anew", queue=queue, why=why)

    def settled(self, outcome: Outcome) -> None:
        """A delivery was acknowledged or given back."""
        self._metrics.settled.labels(outcome.value).inc()

    def drains(self) -> None:
        """The worker takes nothing more."""
        self._metrics.draining.set(1)

    def arrived(self, request: Request) -> None:
        """A request was taken from its queue."""
        if request.published.at_ms is not None and not request.deliveries and request.parked_until_ms is None:
            self._metrics.queued.labels(request.lane).observe(request.queued_ms / 1000)
        if self._content:
            self._log.info("request", body=request.body)

    def attempted(self, number: int, account: str) -> None:
        """An upstream call starts that belongs to the attempt `number`, which all further lines name."""
        note(attempt=number)
        self._metrics.attempts.labels(account).inc()

    def called(self, request: Request, ended: Completion | CompletionError | None) -> None:
        """An upstream call ended; None where it was cut off here."""
        self._metrics.called(request.model, ended)
        if self._content and ended is not None:
            whole = ended.response if isinstance(ended, Completion) else ended.partial
            self._log.info("answer", response=whole)

    def answered(self, account: str) -> None:
        """An account gave a request its whole answer."""
        self._metrics.answers.labels(account).inc()

    def handed_over(self, account: str) -> None:
        """An account left a call to another one: it is refused, paused, or fails."""
        self._metrics.handovers.labels(account).inc()

    def sent(self, sent: Sent) -> None:
        """The chunks of a request's last attempt were confirmed, or given up."""
        self._metrics.chunks.inc(sent.last_seq + 1)
        if sent.degraded:
            self._metrics.degraded.inc()

    def ended(
        self,
        request: Request,
        outcome: str,
        attempts: int,
        total_ms: int,
        billed: int | None = None,
        account: str = "",
    ) -> None:
        """A request ended, as `result` or by an error code.

        `billed`: calls that may cost something. `account`: who made the last call, where one was made.
        """
        self._metrics.ended.labels(request.lane, outcome).inc()
        self._metrics.seconds.labels(request.lane).observe(total_ms / 1000)
        self._metrics.attempts_each.observe(attempts)
        if billed is not None:
            self._metrics.billed_each.observe(billed)
        self._log.info(
            "request ended", outcome=outcome, attempts=attempts, total_ms=total_ms, account=account or None
        )

    def failed(self, error: CompletionError, account: str) -> None:
        """An upstream call failed; it may be tried again."""
        upstream = error.upstream
        self._log.warning(
            "attempt failed",
            account=account or None,
            code=str(error.code),
            again=error.again,
            status=upstream.status if upstream else None,
            trace_id=upstream.trace_id if upstream else None,
            cause=type(error.__cause__).__name__ if error.__cause__ else None,  # its text may hold content
        )

        if error.code is ErrorCode.OVERLOADED:
            self._log.error(
                "no file descriptor left for a call: raise the limit (ulimit -n) or lower FLEET_CONCURRENCY"
            )

    def parked(self, reason: Reason, rung_s: int) -> None:
        """A request was put aside for `rung_s` seconds."""
        self._metrics.parked.labels(reason, str(rung_s)).inc()
        self._log.info("request parked", reason=str(reason), seconds=rung_s)

    def refused(self, refusal: Refusal, size: int) -> None:
        """A publish was refused; `size` in bytes."""
        self._metrics.refused.labels(refusal.code).inc()
        self._log.warning("publish refused", code=str(refusal.code), bytes=size)

    def cancelled(self, found: str) -> None:
        """A cancel was carried out; `found` says how: what was the request's state?"""
        self._metrics.cancels.labels(found).inc()
        self._log.info("cancelled", found=found)

    def buried(self, code: ErrorCode, reason: str | None) -> None:
        """A dead letter was written; `reason` is the broker's word where it put the message aside."""
        self._metrics.buried.labels(code).inc()
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
