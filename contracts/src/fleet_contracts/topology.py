"""Every exchange, queue and binding of the fleet, spelt once.

Declared by one deploy step (`fleet topology apply`, or RabbitMQ's own import of `definitions.json`), never by
a worker: a worker needs no right to configure. Everything that protects a request (dead-lettering at least
once, bounds that refuse instead of dropping, the delivery limit) is a queue argument, so that it holds on
every RabbitMQ from 3.10 on, with or without the management plugin; an operator tightens it by policy.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from fleet_contracts.grammar import CANCEL_WORD, Lane

REQUESTS = "deepseek.requests"
REQUESTS_BATCH = "deepseek.requests.batch"
REQUESTS_DEFAULT = "deepseek.requests.default"
REQUESTS_UNKNOWN = "deepseek.requests.unknown"
REQUESTS_RESUMED = "deepseek.requests.resumed"
REQUESTS_DEAD = "deepseek.requests.dead"
RETRY = "deepseek.retry"
RESULTS = "deepseek.results"
RESULTS_UNHEARD = "deepseek.results.unheard"
CONTROL = "deepseek.control"
CONTROL_CANCELS = "deepseek.control.cancels"
DEAD = "deepseek.dead"
DEAD_RAW = "deepseek.dead.raw"

DEAD_KEY_RAW = "raw"
DEAD_KEY_RECORD = "record"

REPLY_PREFIX = "deepseek.reply."
ACCEPTED_REPLY_PREFIXES = (REPLY_PREFIX, "amq.gen-", "amq.rabbitmq.reply-to")
DIRECT_REPLY_PREFIX = "amq.rabbitmq.reply-to"
TAIL_PREFIX = "deepseek.tail."
"""What the queues and exchanges of one reader of `fleet tail` begin with; they end with its connection."""
WORKER_LOCK = "deepseek.worker.unshared"
"""The exclusive queue by which a worker without a store makes sure that it is the only one."""

RETRY_RUNGS_S = (5, 30, 120, 600)
"""How long a parked request stays away, in seconds: one exchange and queue for each."""

DELIVERY_LIMIT = 50
NO_DELIVERY_LIMIT = 1_000_000_000
"""Never reached. RabbitMQ 4 sets a limit of 20 where none is given, and 3.10 refuses -1."""
CONSUMER_TIMEOUT_MS = 2 * 60 * 60 * 1000
MAX_REQUESTS = 1_000_000
MAX_REQUEST_QUEUE_BYTES = 16 * 1024**3
MAX_DEAD_LETTERS = 100_000
MAX_DEAD_BYTES = 4 * 1024**3
MAX_CANCELS = 100_000
MAX_CANCEL_BYTES = 64 * 1024**2
MAX_UNHEARD = 10_000
MAX_UNHEARD_BYTES = 256 * 1024**2

REPLY_QUEUE_EXPIRES_MS = 30 * 60 * 1000
MAX_REPLY_QUEUE_BYTES = 64 * 1024**2

ExchangeKind = Literal["topic", "fanout", "direct"]
Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: ExchangeKind
    arguments: Arguments = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue; its type is the argument `x-queue-type`."""

    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Binding:
    """Messages of `exchange` with `key` go to `destination`."""

    exchange: str
    destination: str
    key: str
    to_exchange: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """What has to exist on the broker, in an order in which it can be declared."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def retry_rung(seconds: int) -> str:
    """The name of the exchange and of the queue that hold a parked request for `seconds`."""
    return f"{RETRY}.{seconds}"


def reply_queue(tenant: str, word: str) -> Queue:
    """A caller's own reply queue: survives a reconnect, cleans itself up, and refuses rather than drops."""
    return Queue(
        f"{REPLY_PREFIX}{tenant}.{word}",
        {
            "x-queue-type": "classic",
            "x-expires": REPLY_QUEUE_EXPIRES_MS,
            "x-max-length-bytes": MAX_REPLY_QUEUE_BYTES,
            "x-overflow": "reject-publish",
        },
    )


def tenant_topology(tenant: str) -> Topology:
    """The queues of a tenant that has its own, one for each lane, and how its requests reach them.

    Added while the fleet runs; what is published before is in the lanes' queues.
    """
    keys = {lane: f"{lane}.{tenant}" for lane in Lane}
    return Topology(
        (),
        tuple(Queue(tenant_queue(lane, tenant), request_queue_arguments()) for lane in keys),
        tuple(Binding(REQUESTS, tenant_queue(lane, tenant), key) for lane, key in keys.items()),
    )


def tenant_queue(lane: Lane, tenant: str) -> str:
    """The name of a tenant's own queue for one lane."""
    return f"{REQUESTS}.{lane}.{tenant}"


def topology() -> Topology:
    """The fleet's whole topology."""
    return Topology(_exchanges(), _queues(), _bindings())


def _exchanges() -> tuple[Exchange, ...]:
    return (
        Exchange(REQUESTS_UNKNOWN, "fanout"),
        Exchange(REQUESTS_DEFAULT, "topic", {"alternate-exchange": REQUESTS_UNKNOWN}),
        Exchange(REQUESTS, "topic", {"alternate-exchange": REQUESTS_DEFAULT}),
        Exchange(REQUESTS_RESUMED, "fanout"),
        *(Exchange(retry_rung(seconds), "fanout") for seconds in RETRY_RUNGS_S),
        Exchange(RESULTS_UNHEARD, "fanout"),
        Exchange(RESULTS, "topic", {"alternate-exchange": RESULTS_UNHEARD}),
        Exchange(CONTROL, "topic"),
        Exchange(DEAD, "direct"),
    )


def _queues() -> tuple[Queue, ...]:
    return (
        Queue(REQUESTS, request_queue_arguments()),
        Queue(REQUESTS_BATCH, request_queue_arguments()),
        # Unbounded: what waits here was admitted already, and refusing it now would lose it.
        Queue(REQUESTS_RESUMED, _admitted_arguments()),
        *(Queue(retry_rung(seconds), _rung_arguments(seconds)) for seconds in RETRY_RUNGS_S),
        Queue(CONTROL_CANCELS, _cancel_arguments()),
        Queue(DEAD_RAW, {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT}),
        Queue(REQUESTS_DEAD, _dead_letter_arguments()),
        Queue(
            RESULTS_UNHEARD,
            {
                "x-queue-type": "classic",
                "x-max-length": MAX_UNHEARD,
                "x-max-length-bytes": MAX_UNHEARD_BYTES,
                "x-overflow": "drop-head",
            },
        ),
    )


def _bindings() -> tuple[Binding, ...]:
    return (
        Binding(REQUESTS_DEFAULT, REQUESTS_BATCH, "batch.#"),
        Binding(REQUESTS_UNKNOWN, REQUESTS, ""),
        *(Binding(retry_rung(seconds), retry_rung(seconds), "") for seconds in RETRY_RUNGS_S),
        Binding(REQUESTS_RESUMED, REQUESTS_RESUMED, ""),
        Binding(RESULTS_UNHEARD, RESULTS_UNHEARD, ""),
        Binding(CONTROL, CONTROL_CANCELS, f"{CANCEL_WORD}.*"),
        Binding(DEAD, DEAD_RAW, DEAD_KEY_RAW),
        Binding(DEAD, REQUESTS_DEAD, DEAD_KEY_RECORD),
    )


def request_queue_arguments() -> Arguments:
    """The arguments of a queue that requests are published to, a lane's or a tenant's."""
    return {
        **_admitted_arguments(),
        "x-max-length": MAX_REQUESTS,
        "x-max-length-bytes": MAX_REQUEST_QUEUE_BYTES,
    }


def _admitted_arguments() -> Arguments:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-consumer-timeout": CONSUMER_TIMEOUT_MS,
        **_dead_lettered_to(DEAD, DEAD_KEY_RAW),
    }


def _rung_arguments(seconds: int) -> Arguments:
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": seconds * 1000,
        **_dead_lettered_to(REQUESTS_RESUMED, None),
    }


def _cancel_arguments() -> Arguments:
    # One queue for all workers: whoever takes a cancel writes it into the ledger, where the owner finds it.
    return {
        **_admitted_arguments(),
        "x-max-length": MAX_CANCELS,
        "x-max-length-bytes": MAX_CANCEL_BYTES,
    }


def _dead_lettered_to(exchange: str, key: str | None) -> Arguments:
    # RabbitMQ dead-letters at least once only where the queue also refuses publishes when it is full.
    arguments: Arguments = {
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return arguments if key is None else {**arguments, "x-dead-letter-routing-key": key}


def _dead_letter_arguments() -> Arguments:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": NO_DELIVERY_LIMIT,
        "x-max-length": MAX_DEAD_LETTERS,
        "x-max-length-bytes": MAX_DEAD_BYTES,
        "x-overflow": "drop-head",
    }
