"""What operators see of the upstream's health: bounded labels, one line for one change."""

from contextlib import suppress
from copy import copy

from prometheus_client import CollectorRegistry, Counter, Gauge

from fleet_chassis.logging import Log
from fleet_chassis.metrics import Names
from fleet_worker.postponed import OF_THE_ACCOUNT, Reason

MOST_MODELS = 20


class HealthObserver:
    """Counts and logs what breaker, account pause and retry budget decide."""

    def __init__(self, registry: CollectorRegistry, log: Log, account: str = "default") -> None:
        self._log = log
        self._models = Names(MOST_MODELS)
        self._account = account
        self._breaker = Counter(
            "fleet_breaker_changes",
            "Breakers that opened or closed, noted once for the fleet",
            ["model", "change"],
            registry=registry,
        )
        self._postponed = Counter(
            "fleet_calls_postponed", "Upstream calls not made", ["reason"], registry=registry
        )
        self._retries = Counter(
            "fleet_retries", "Repetitions asked of the retry budget", ["granted"], registry=registry
        )
        for reason in Reason:
            self._postponed.labels(reason)
        for granted in ("true", "false"):
            self._retries.labels(granted)
        self._paused = Gauge(
            "fleet_account_paused",
            "1 while DeepSeek refuses the account: page a person",
            ["account", "code"],
            registry=registry,
        )

    def of(self, account: str) -> "HealthObserver":
        """The same, as the guard of another account tells it."""
        other = copy(self)
        other._account = account  # noqa: SLF001  # it is one of us
        return other

    def breaker_changed(self, model: str, change: str) -> None:
        """A model's breaker opened or closed, for the whole fleet."""
        self._breaker.labels(self._models.of(model), change).inc()
        self._log.warning("breaker changed", model=model, change=change, account=self._account)

    def postponed(self, reason: Reason) -> None:
        """A call was not made, for it makes no sense now."""
        self._postponed.labels(reason).inc()

    def asked_to_repeat(self, *, granted: bool) -> None:
        """The retry budget was asked for a repetition."""
        self._retries.labels(str(granted).lower()).inc()

    def account_paused(self, code: str, *, first: bool) -> None:
        """DeepSeek refuses the account; only the first to learn of it tells the log."""
        self._paused.labels(self._account, code).set(1)
        if first:
            self._log.error(
                "account paused: no request is failed, a person must act", code=code, account=self._account
            )

    def account_well(self, *, first: bool) -> None:
        """DeepSeek serves the account."""
        for code in OF_THE_ACCOUNT:
            with suppress(KeyError):
                self._paused.remove(self._account, code)
        if first:
            self._log.warning("account well again: parked requests go on", account=self._account)
