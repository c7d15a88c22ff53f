"""The door: takes deliveries from the queues, has them handled, and acknowledges what has ended."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelInvalidStateError
from aiormq.abc import AbstractChannel
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.subscriber import RabbitSubscriber

from fleet_chassis.broker import close_connection
from fleet_worker.delivery import Delivery
from fleet_worker.door import subscribing
from fleet_worker.door.hands import Hands
from fleet_worker.door.queues import Consumer
from fleet_worker.door.receiving import delivery_of
from fleet_worker.door.settling import Settling
from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome

RECONNECT_INTERVAL_S = 1.0
STOP_TIMEOUT_S = 5.0
DRAIN = "drain"
"""The reason to take nothing more that never goes away."""


class ConnectionObserver(Protocol):
    """Is told when the connection to the broker goes and comes."""

    def broker_lost(self) -> None:
        """The connection is gone; it is made anew until it stands."""
        ...

    def broker_back(self) -> None:
        """The connection stands again."""
        ...

    def settled(self, outcome: Outcome) -> None:
        """A delivery was acknowledged or given back."""
        ...


class Door:
    """Consumes queues over one connection, with a channel for each queue.

    A channel of its own keeps one queue's trouble from cancelling the deliveries of the others.
    """

    def __init__(
        self, amqp_url: str, consumers: Sequence[Consumer], name: str, observer: ConnectionObserver
    ) -> None:
        self._broker = RabbitBroker(
            amqp_url,
            reconnect_interval=RECONNECT_INTERVAL_S,
            graceful_timeout=None,
            on_close=[self._on_close],
            on_reconnected=[self._on_reconnected],
            logger=None,
            app_id=name,
        )
        self._connection: AbstractConnection | None = None
        self._observer = observer
        self._stands = False
        self._paused: dict[str, bool] = {}
        """Why nothing is taken, and whether that stops only what calls the upstream."""
        self._turning = asyncio.Lock()
        self._in_hand: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._put_down = asyncio.Event()
        self._hands = Hands()
        self._settling = Settling()
        self._subscribers = {consumer: self._subscribe(consumer) for consumer in consumers}

    @property
    def consuming(self) -> bool:
        """Whether every queue has its consumer now, as far as the client library knows.

        A queue whose requests would only be put aside again needs none.
        """
        return all(
            subscribing.consumes(subscriber) or (one.calls_upstream and any(self._paused.values()))
            for one, subscriber in self._subscribers.items()
        )

    async def open(self) -> None:
        """Connect and begin to consume."""
        self._connection = await self._broker.connect()
        await self._broker.start()
        await self._consume(self._subscribers)
        self._stands = True

    async def stop_consuming(self) -> None:
        """Cancel the consumers: the broker hands over nothing more, and nothing is hidden behind a drain."""
        await self.pause(DRAIN)

    async def pause(self, reason: str, *, upstream_only: bool = False) -> None:
        """Take nothing more until `reason`, and every other one, is gone. Never raises.

        `upstream_only`: go on with what needs no call of the upstream.
        """
        self._paused[reason] = upstream_only
        ending = [it for one, it in self._subscribers.items() if not self._may_consume(one)]
        async with self._turning:
            await asyncio.gather(*map(subscribing.cancel, ending))

    async def resume(self, reason: str) -> None:
        """Take requests again, unless there is another reason not to.

        Raises:
            AMQPError, OSError, RuntimeError: the broker is away; to be tried again.
        """
        self._paused.pop(reason, None)
        async with self._turning:
            await self._consume([one for one in self._subscribers if self._may_consume(one)])

    async def add(self, consumer: Consumer) -> None:
        """Consume one more queue while the others go on.

        Raises:
            AMQPError, OSError, RuntimeError: the broker is away, or has no such queue.
        """
        await self.ready_in(consumer.queue)
        subscriber = self._subscribe(consumer)
        await subscriber.start()
        async with self._turning:
            self._subscribers[consumer] = subscriber
            if self._may_consume(consumer):
                await self._consume([consumer])

    async def remove(self, consumer: Consumer) -> None:
        """Consume a queue no more, once nothing of it is in hand: a queue without consumers is all free."""
        while self._in_hand[consumer.queue]:
            self._put_down.clear()
            await self._put_down.wait()
        subscriber = self._subscribers.pop(consumer, None)
        if subscriber is not None:
            async with self._turning:
                await subscribing.cancel(subscriber)

    def consumers(self) -> list[Consumer]:
        """Those that should consume now."""
        return [one for one in self._subscribers if self._may_consume(one)]

    def taken(self, one: Consumer) -> int:
        """How many deliveries came so far."""
        return self._taken[one.queue]

    def has_room(self, one: Consumer) -> bool:
        """Whether the broker may hand over another one."""
        return self._in_hand[one.queue] < one.prefetch

    async def is_known(self, one: Consumer) -> bool:
        """Whether the channel knows its consumer too; raises while there is no channel."""
        return await subscribing.is_known_below(self._subscribers[one])

    async def begin_anew(self, one: Consumer) -> None:
        """Leave its consumer and begin another; raises while the broker is away."""
        async with self._turning:
            if self._may_consume(one):
                await subscribing.cancel(self._subscribers[one])
                await self._consume([one])

    async def ready_in(self, queue: str) -> int:
        """How many messages wait in a queue; raises while the broker, or the queue, is away."""
        # On a channel of its own, which a queue that is not there closes: the framework keeps what could not
        # be started, with its channel, for as long as the worker lives.
        connection = await self._broker.connect()
        async with connection.channel() as channel:
            return (await channel.get_queue(queue)).declaration_result.message_count or 0

    async def close(self) -> None:
        """Close the connection; the broker returns every delivery that was not acknowledged."""
        self._stands = False
        await self._settling.last()
        if self._connection is not None:
            # First, for then the framework's stop has nothing left to ask of the broker: it would wait for
            # each answer as long as it takes, and raise where the connection breaks meanwhile.
            await close_connection(self._connection)
        with suppress(*subscribing.AWAY, ExceptionGroup):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._broker.stop()

    def _may_consume(self, one: Consumer) -> bool:
        return not any(
            one.calls_upstream if upstream_only else not (one.through_drain and reason == DRAIN)
            for reason, upstream_only in self._paused.items()
        )

    def _on_close(self, *_details: object) -> None:
        # Called for each failed try to connect too; one line for one loss is enough.
        if self._stands:
            self._stands = False
            self._observer.broker_lost()

    def _on_reconnected(self, *_details: object) -> None:
        self._stands = True
        self._observer.broker_back()

    def _subscribe(self, consumer: Consumer) -> RabbitSubscriber:
        return self._broker.subscriber(
            # Declared by the deploy step: here its absence is an error, not something to mend.
            RabbitQueue(consumer.queue, declare=False),
            channel=Channel(prefetch_count=consumer.prefetch),
        )

    async def _consume(self, consumers: Iterable[Consumer]) -> None:
        # All of them come to their end before one is tried again: none may consume a queue twice.
        starting = [subscribing.consume(self._subscribers[one], self._taker(one)) for one in consumers]
        for end in await asyncio.gather(*starting, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end

    def _taker(self, consumer: Consumer) -> subscribing.Take:
        queue = consumer.queue

        def put_down() -> None:
            self._in_hand[queue] -= 1
            self._put_down.set()

        async def take(message: AbstractIncomingMessage) -> None:
            with suppress(ChannelInvalidStateError):  # the broker has given it to someone else already
                channel, lease = message.channel, DeliveryLease()
                delivery = delivery_of(message, queue, lease)
                # The message itself is let go of here: a stream may be open for minutes.
                work = self._see_to_its_end(consumer, delivery, channel, message.delivery_tag or 0)
                self._in_hand[queue] += 1
                self._taken[queue] += 1
                self._hands.take(channel, lease, work, put_down)

        return take

    async def _see_to_its_end(
        self, consumer: Consumer, delivery: Delivery, channel: AbstractChannel, tag: int
    ) -> None:
        outcome = await consumer.take(delivery)
        await self._settling.settle(channel, tag, outcome)
        self._observer.settled(outcome)
