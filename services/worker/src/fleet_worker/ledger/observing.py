"""What operators see of the ledger: metrics with bounded labels, and a line where something is wrong."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from fleet_chassis.logging import Log


class LedgerObserver:
    """Counts and logs; never sees the body of a request or a reply."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        self._log = log
        self._claims = Counter("fleet_claims", "Claims by their answer", ["answer"], registry=registry)
        self._vanished = Counter(
            "fleet_owners_vanished",
            "Workers lost with a request in hand",
            registry=registry,
        )
        self._replays = Counter(
            "fleet_replays", "Terminal replies sent again from the ledger", registry=registry
        )
        self._lost = Counter(
            "fleet_answers_dropped",
            "Terminal replies that do not count",
            registry=registry,
        )
        self.held = Gauge("fleet_requests_held", "Requests that this worker has in hand", registry=registry)
        self.commits_waiting = Gauge(
            "fleet_commits_waiting", "Terminal replies that wait in memory for the store", registry=registry
        )

    def claimed(self, answer: str) -> None:
        """A claim was answered."""
        self._claims.labels(answer).inc()

    def superseded(self, vanished: int) -> None:
        """An owner is gone; `vanished` of this request's owners so far had begun an attempt."""
        self._vanished.inc()
        self._log.warning("an owner vanished", vanished=vanished)

    def disowned(self) -> None:
        """The store had carried out a claim of this worker that nobody waited for any more."""
        self._log.info("a claim was given back that had been given up")

    def replayed(self) -> None:
        """A stored terminal reply is sent again."""
        self._replays.inc()

    def dropped(self, reason: str) -> None:
        """A terminal reply was earned here and does not count."""
        self._lost.inc()
        self._log.warning("a terminal reply was dropped", reason=reason)

    def broke(self, bug: Exception) -> None:
        """A claim could not be renewed, and not because the store is away."""
        self._log.error("a claim was not renewed", error=bug)

    def aborted(self) -> None:
        """A running call was ended because nobody counts on this worker for it any more."""
        self._log.warning("a call was aborted: the broker and the ledger have both given its request away")
