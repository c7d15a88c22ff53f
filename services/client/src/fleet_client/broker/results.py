"""The durable queues of a client: of who follows `deepseek.results`, and of a batch."""

import random
from collections.abc import Callable

from fleet_client.broker.own_queue import OwnQueue, Terms
from fleet_client.collecting import BatchWish
from fleet_client.following import Wish
from fleet_contracts.grammar import routing_word
from fleet_contracts.topology import NO_DELIVERY_LIMIT, REPLY_PREFIX, Queue

_MOST_BYTES = 1024**3


def following(url: str, wish: Wish, chance: random.Random) -> OwnQueue:
    """Follows results; readers of one name share the work."""
    terms = Terms(wish.prefetch, wish.patterns)
    return OwnQueue(url, f"results {wish.name}", results_queue(wish), terms, chance)


def collecting(url: str, wish: BatchWish, chance: random.Random, on_lost: Callable[[], None]) -> OwnQueue:
    """Collects the replies of a batch, as their only reader."""
    terms = Terms(wish.prefetch, alone=True)
    return OwnQueue(url, f"batch {wish.name}", wish.queue, terms, chance, on_lost)


def results_queue(wish: Wish) -> Queue:
    """The queue of this wish. Full, it lets its oldest go: a slow follower must not hold the fleet up."""
    return Queue(
        f"{REPLY_PREFIX}{routing_word(wish.tenant)}.results.{wish.name}",
        {
            "x-queue-type": "quorum",
            "x-delivery-limit": NO_DELIVERY_LIMIT,
            "x-expires": int(wish.expires_s * 1000),
            "x-max-length": wish.max_messages,
            "x-max-length-bytes": _MOST_BYTES,
            "x-overflow": "drop-head",
        },
    )
