"""What operators see of the limiter: metrics whose labels are bounded, and a line for what needs a person."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fleet_chassis.logging import Log
from fleet_chassis.metrics import Names
from fleet_worker.limiter.rules import account_of
from fleet_worker.limiter.terms import Beaten, Ended, Used
from fleet_worker.prices import NANO

MOST_MODELS = 20
MOST_TENANTS = 50
_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300, 1800)


class LimiterObserver:
    """Counts and logs. Accounts are few, by configuration.

    Args:
        registry: gets the metrics.
        log: gets what needs a person.
        most_tenants: so many tenants have a label of their own; `fleet usage` tells of all.
    """

    def __init__(self, registry: CollectorRegistry, log: Log, most_tenants: int = MOST_TENANTS) -> None:
        self._log = log
        self._models = Names(MOST_MODELS)
        self._tenants = Names(most_tenants)
        self._limit = Gauge(
            "fleet_limit_concurrency",
            "Calls at once that are granted now",
            ["account", "model"],
            registry=registry,
        )
        self._in_flight = Gauge(
            "fleet_limit_in_flight",
            "Permits held by the whole fleet",
            ["account", "model"],
            registry=registry,
        )
        self._waiting = Gauge(
            "fleet_limit_waiting",
            "Requests of the whole fleet in line",
            ["account", "model"],
            registry=registry,
        )
        self._waited = Histogram(
            "fleet_permit_wait_seconds",
            "From asking for a permit to having it",
            ["lane"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._ended = Counter(
            "fleet_permits_ended", "Permits given back, by what limits learned", ["ended"], registry=registry
        )
        self._refused = Counter("fleet_budget_refusals", "Requests over a tenant's budget", registry=registry)
        self._lost = Counter("fleet_permits_lost", "Calls ended for a permit taken away", registry=registry)
        self._postponed = Counter("fleet_permits_postponed", "Waits too long to be held", registry=registry)
        self._spent = Counter(
            "fleet_spent_dollars",
            "Cost of the calls, with an estimate for those that were cut off",
            ["tenant", "model"],
            registry=registry,
        )
        self._tokens = Counter(
            "fleet_tokens",
            "Tokens of the calls: input from the cache, input that was not there, output",
            ["tenant", "model", "kind"],
            registry=registry,
        )
        self._balance = Gauge(
            "fleet_balance_dollars", "Left on the account when last asked", ["account"], registry=registry
        )
        self._away = Gauge("fleet_limiter_store_away", "1 while the store does not answer", registry=registry)

    def beaten(self, pool: str, beaten: Beaten) -> None:
        """The store told how a pool stands."""
        labels = (account_of(pool), self._model(pool))
        self._limit.labels(*labels).set(beaten.limit)
        self._in_flight.labels(*labels).set(beaten.in_flight)
        self._waiting.labels(*labels).set(beaten.waiting)

    def obtained(self, lane: str, seconds: float) -> None:
        """A permit was taken after a wait."""
        self._waited.labels(lane).observe(seconds)

    def ended(self, ended: Ended, spent: int | None, used: Used | None) -> None:
        """A permit was given back."""
        self._ended.labels(ended).inc()
        if used is None:
            return
        tenant, model = self._tenants.of(used.tenant), self._models.of(used.model)
        if spent:
            self._spent.labels(tenant, model).inc(spent / NANO)
        self._tokens.labels(tenant, model, "input_cached").inc(used.cached)
        self._tokens.labels(tenant, model, "input_fresh").inc(max(0, used.input - used.cached))
        self._tokens.labels(tenant, model, "output").inc(used.output)

    def taught(self, pool: str, limit: int) -> None:
        """The provider named its limit."""
        self._log.warning("the provider named its limit", pool=pool, limit=limit)

    def too_dear(self) -> None:
        """A request was refused for its tenant's budget."""
        self._refused.inc()

    def balance(self, account: str, dollars: float) -> None:
        """What is left on an account."""
        self._balance.labels(account).set(dollars)

    def postponed(self) -> None:
        """A request was put aside instead of held in line."""
        self._postponed.inc()

    def lost(self) -> None:
        """A permit was taken away from this worker, as from a dead one; its call ends."""
        self._lost.inc()
        self._log.warning("a permit was taken away: the store had not heard of this worker for too long")

    def away(self, *, is_away: bool) -> None:
        """The store stopped or began to answer."""
        self._away.set(is_away)
        if is_away:
            self._log.error("the store does not answer: it grants no permit", next="check REDIS_URL")
        else:
            self._log.info("the store answers again")

    def broke(self, error: BaseException) -> None:
        """A bug in a task that nobody waits for."""
        self._log.error("the limiter failed", error=error)

    def _model(self, pool: str) -> str:
        return self._models.of(pool.partition("/")[2])
