"""A worker's door at the simulated broker: does what `fleet_worker.door.consumer.Door` does."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fleet_worker.delivery import Delivery
from fleet_worker.door import consumer as real_door
from fleet_worker.door.hands import Hands
from fleet_worker.door.queues import Consumer as Takes
from fleet_worker.door.settling import Settling
from simulation.broker import Broker, Consumer, Message
from simulation.links import Link
from simulation.loop import Process
from simulation.world import World


@dataclass(slots=True)
class Delivered:
    """A message as the broker knows that it is in hand."""

    consumer: Consumer
    tag: int
    message: Message


@dataclass(eq=False)
class Channel:
    """What the real door's parts need of a channel; what they call a tag is the delivery itself."""

    door: "SimulatedDoor"
    closing: asyncio.Future[None]

    async def basic_nack(self, delivered: Delivered, *, requeue: bool) -> None:
        """Give back."""
        assert requeue
        self.door.settle(delivered, "gives back", self.door.link.broker.requeue)


class Settles(Settling):
    """The real one, but for how an ack is written."""

    def ack(self, channel: Any, delivery_tag: Any) -> None:
        """Acknowledge."""
        channel.door.settle(delivery_tag, "acks", channel.door.link.broker.ack)


Acked = Callable[[Delivered], None]


class SimulatedDoor:
    """Consumes the queues of one worker, and has its deliveries in the real door's hands."""

    def __init__(
        self,
        world: World,
        broker: Broker,
        process: Process,
        takes: Sequence[Takes],
        acked: Acked,
    ) -> None:
        self._world, self._process = world, process
        self._acked = acked
        self._takes = {self._consumer(one.queue, one.prefetch, one): one for one in takes}
        self._paused: dict[str, bool] = {}
        self._consuming: set[Consumer] = set()
        self._hands, self._settling = Hands(), Settles()
        self._channel = self._open_channel()
        self.link = Link(
            world, broker, process, f"{process.name} door", self._closed, self._lost, self._consume_all
        )

    async def open(self) -> None:
        """Connect and begin to consume."""
        self.link.connect()

    async def close(self) -> None:
        """Close the connection; the broker returns what was not acknowledged."""
        self.link.end()
        self._lost()

    async def stop_consuming(self) -> None:
        """Take nothing more."""
        await self.pause(real_door.DRAIN)

    async def pause(self, reason: str, *, upstream_only: bool = False) -> None:
        """Take nothing more until every reason is gone."""
        self._paused[reason] = upstream_only
        for consumer, takes in self._takes.items():
            if not self._may(takes) and consumer in self._consuming:
                self._consuming.discard(consumer)
                self.link.say(lambda consumer=consumer: self.link.broker.cancel(consumer))

    async def resume(self, reason: str) -> None:
        """Take requests again, unless there is another reason not to."""
        self._paused.pop(reason, None)
        self._consume_all()

    def settle(self, delivered: Delivered, what: str, do: Callable[[Consumer, int], None]) -> None:
        """Tell the broker what becomes of a delivery."""
        if what == "acks":
            self._acked(delivered)
        self._world.note(self._process.name, what, about(delivered.message))
        self.link.say(lambda: do(delivered.consumer, delivered.tag))

    def _consumer(self, queue: str, prefetch: int, takes: Takes) -> Consumer:
        def bring(tag: int, message: Message) -> None:
            self.link.bring(lambda: self._begin(Delivered(consumer, tag, message), takes))

        consumer = Consumer(queue, prefetch, bring)
        return consumer

    def _begin(self, delivered: Delivered, takes: Takes) -> None:
        channel: Any = self._channel
        delivery = delivery_of(delivered.message, takes.queue)
        work = self._take(delivered, delivery, takes, channel)
        self._hands.take(channel, delivery.lease, work, lambda: None)

    async def _take(self, delivered: Delivered, delivery: Delivery, takes: Takes, channel: Any) -> None:
        self._world.note(self._process.name, "takes", about(delivered.message))
        outcome = await takes.take(delivery)
        await self._settling.settle(channel, cast("Any", delivered), outcome)

    def _open_channel(self) -> Channel:
        return Channel(self, asyncio.get_running_loop().create_future())

    def _may(self, takes: Takes) -> bool:
        return not any(
            takes.calls_upstream if upstream_only else not (takes.through_drain and reason == real_door.DRAIN)
            for reason, upstream_only in self._paused.items()
        )

    def _consume_all(self) -> None:
        for consumer, takes in self._takes.items():
            if self._may(takes) and consumer not in self._consuming and self.link.open:
                self._consuming.add(consumer)
                self.link.say(lambda consumer=consumer: self.link.broker.consume(consumer))

    def _closed(self) -> None:
        for consumer in self._takes:
            self.link.broker.leave(consumer)

    def _lost(self) -> None:
        self._world.note(self._process.name, "lost its deliveries")
        self._consuming.clear()
        self._channel.closing.set_result(None)
        self._channel = self._open_channel()


def about(message: Message) -> str:
    """A message in the history."""
    again = f" again {message.count}" if message.count else ""
    what, where = message.type or "chat.v1", message.exchange or message.routing_key
    return f"{message.correlation_id} {what} from {where}{again}"


def delivery_of(message: Message, queue: str) -> Delivery:
    """What `fleet_worker.door.receiving` makes of a message."""
    headers = {**message.headers, "x-delivery-count": message.count} if message.count else message.headers
    return Delivery(
        body=message.body,
        queue=queue,
        exchange=message.exchange,
        routing_key=message.routing_key,
        headers=headers,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        type=message.type,
        message_id=message.message_id,
        published_ms=message.published_ms,
    )
