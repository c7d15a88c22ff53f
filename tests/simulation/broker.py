"""The simulated broker: quorum queues, rungs and dead letters, each call one atomic step."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fleet_contracts import headers as names
from fleet_contracts.grammar import Lane, lane_and_tenant
from fleet_contracts.topology import (
    CONTROL,
    CONTROL_CANCELS,
    DEAD,
    DEAD_RAW,
    DELIVERY_LIMIT,
    REQUESTS,
    REQUESTS_BATCH,
    REQUESTS_DEAD,
    REQUESTS_RESUMED,
    RESULTS,
    RETRY_RUNGS_S,
    retry_rung,
)
from simulation.world import World

RESULTS_HEARD = "results"
"""The queue of somebody who follows the results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message in a queue."""

    body: bytes
    exchange: str
    routing_key: str
    type: str | None
    correlation_id: str | None
    reply_to: str | None
    headers: dict[str, Any]
    message_id: str
    published_ms: int
    count: int = 0
    """How often it came back."""
    expires_s: float | None = None
    """How long it may wait in its queue."""


@dataclass(eq=False, slots=True)
class Consumer:
    """Who takes from a queue: at most `prefetch` unacknowledged at once."""

    queue: str
    prefetch: int
    bring: Callable[[int, Message], None]
    """Brings a delivery under its tag."""
    unacked: dict[int, Message] = field(default_factory=dict[int, Message])


@dataclass(eq=False, slots=True)
class Queue:
    """One queue."""

    ready: deque[Message] = field(default_factory=deque[Message])
    consumers: list[Consumer] = field(default_factory=list[Consumer])
    full: bool = False


class Broker:
    """Queues, and what is in them; each call is one atomic step.

    Args:
        world: the run.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.up = True
        self.queues: dict[str, Queue] = {
            name: Queue()
            for name in (
                REQUESTS,
                REQUESTS_BATCH,
                REQUESTS_RESUMED,
                CONTROL_CANCELS,
                DEAD_RAW,
                REQUESTS_DEAD,
                RESULTS_HEARD,
            )
        }
        self.in_rungs = 0
        self.known: list[Consumer] = []
        """Every consumer whose channel is open, cancelled ones too."""
        self._tags = 0
        self._rungs = {retry_rung(seconds): seconds for seconds in RETRY_RUNGS_S}
        self.taken: list[Callable[[str, Message], None]] = []
        """Hear of every message that was put into a queue."""

    def publish(self, message: Message) -> bool | None:
        """Put a message where it belongs: True it is there, False it was refused, None no queue takes it."""
        if message.exchange in self._rungs:
            self._park(message, self._rungs[message.exchange])
            return True
        name = self._queue_of(message)
        queue = self.queues.get(name)
        if queue is None:
            return None
        if queue.full:
            self.world.note("broker", "refuses", f"{name} {message.correlation_id}")
            return False
        self._put(name, message)
        if message.expires_s is not None:
            self.world.later(message.expires_s, lambda: self._expire(name, message))
        return True

    def declare(self, name: str) -> None:
        """Make a queue."""
        self.queues[name] = Queue()

    def delete(self, name: str) -> None:
        """Drop a queue and what is in it."""
        self.queues.pop(name, None)

    def consume(self, consumer: Consumer) -> None:
        """Begin to hand over."""
        if consumer not in self.known:
            self.known.append(consumer)
        self.queues[consumer.queue].consumers.append(consumer)
        self._hand_over(consumer.queue)

    def cancel(self, consumer: Consumer) -> None:
        """Hand over no more; what is unacknowledged stays with the consumer."""
        consumers = self.queues[consumer.queue].consumers
        if consumer in consumers:
            consumers.remove(consumer)

    def leave(self, consumer: Consumer) -> None:
        """Its channel is gone: everything that it had comes back."""
        self.cancel(consumer)
        if consumer in self.known:
            self.known.remove(consumer)
        for tag in list(consumer.unacked):
            self.requeue(consumer, tag)

    def ack(self, consumer: Consumer, tag: int) -> None:
        """Forget a delivery."""
        if consumer.unacked.pop(tag, None) is not None:
            self._hand_over(consumer.queue)

    def requeue(self, consumer: Consumer, tag: int) -> None:
        """Take a delivery back, to the front of its queue."""
        message = consumer.unacked.pop(tag, None)
        if message is None:
            return
        back = replace(message, count=message.count + 1)
        if back.count > DELIVERY_LIMIT:
            self._die(consumer.queue, back, "delivery_limit")
        else:
            self.queues[consumer.queue].ready.appendleft(back)
        self._hand_over(consumer.queue)

    def unacked(self) -> int:
        """How many deliveries are in consumers' hands."""
        return sum(len(one.unacked) for one in self.known)

    def _queue_of(self, message: Message) -> str:
        match message.exchange:
            case "":
                return message.routing_key
            case exchange if exchange == REQUESTS:
                lane, _ = lane_and_tenant(message.routing_key)
                return REQUESTS_BATCH if lane is Lane.BATCH else REQUESTS
            case exchange if exchange == CONTROL:
                return CONTROL_CANCELS
            case exchange if exchange == RESULTS:
                return RESULTS_HEARD
            case exchange if exchange == DEAD:
                return REQUESTS_DEAD
            case _:
                return ""

    def _park(self, message: Message, seconds: int) -> None:
        self.in_rungs += 1
        for hear in self.taken:
            hear(message.exchange, message)

        def resume() -> None:
            if not self.up:
                self.world.later(1.0, resume)
                return
            self.in_rungs -= 1
            death = [{"reason": "expired", "queue": message.exchange, "count": 1}]
            self._put(REQUESTS_RESUMED, replace(message, headers={**message.headers, "x-death": death}))

        self.world.later(seconds, resume)

    def _expire(self, name: str, message: Message) -> None:
        if message in self.queues[name].ready:
            self.queues[name].ready.remove(message)
            self._die(name, message, "expired")

    def _die(self, queue: str, message: Message, reason: str) -> None:
        self.world.note("broker", reason, message.correlation_id)
        death = {
            "reason": reason,
            "queue": queue,
            "exchange": message.exchange,
            "routing-keys": [message.routing_key],
        }
        self._put(DEAD_RAW, replace(message, headers={**message.headers, "x-death": [death]}, count=0))

    def _put(self, name: str, message: Message) -> None:
        self.queues[name].ready.append(message)
        for hear in self.taken:
            hear(name, message)
        self._hand_over(name)

    def _hand_over(self, name: str) -> None:
        queue = self.queues.get(name)
        if queue is None or not self.up:
            return
        while queue.ready:
            free = [one for one in queue.consumers if len(one.unacked) < one.prefetch]
            if not free:
                return
            consumer = free[0] if len(free) == 1 else self.world.chance.choice(free)
            self._tags += 1
            message = queue.ready.popleft()
            consumer.unacked[self._tags] = message
            consumer.bring(self._tags, message)


def attempt_of(message: Message) -> int:
    """The attempt that a reply is of; 0 where it says none."""
    return int(message.headers.get(names.ATTEMPT, 0))
