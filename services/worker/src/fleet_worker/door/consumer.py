"""The door: takes deliveries from the queues, has them handled, and acknowledges what has ended."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from aio_pika.exceptions import AMQPError
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue
from faststream.rabbit.subscriber import RabbitSubscriber

from fleet_worker.door.queues import Consumer
from fleet_worker.door.receiving import delivery_of
from fleet_worker.outcome import Outcome

RECONNECT_INTERVAL_S = 1.0
CANCEL_TIMEOUT_S = 5.0
DRAIN = "drain"
"""The reason to take nothing more that never goes away."""
AWAY = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What using the broker raises while it, or a queue, is away."""


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
            # Every delivery is acknowledged by hand: any other policy drops a request on an error.
            ack_policy=AckPolicy.MANUAL,
            reconnect_interval=RECONNECT_INTERVAL_S,
            graceful_timeout=None,
            on_close=[self._on_close],
            on_reconnected=[self._on_reconnected],
            logger=None,
            apply_types=False,
            app_id=name,
        )
        self._observer = observer
        self._stands = False
        self._paused: dict[str, bool] = {}
        """Why nothing is taken, and whether that stops only what calls the upstream."""
        self._turning = asyncio.Lock()
        self._in_hand: Counter[str] = Counter()
        self._put_down = asyncio.Event()
        self._subscribers = {consumer: self._subscribe(consumer) for consumer in consumers}

    @property
    def consuming(self) -> bool:
        """Whether every queue has its consumer now, as far as the client library knows.

        A queue whose requests would only be put aside again needs none.
        """
        return all(
            _consumes(subscriber) or (one.calls_upstream and any(self._paused.values()))
            for one, subscriber in self._subscribers.items()
        )

    async def open(self) -> None:
        """Connect and begin to consume."""
        await self._broker.start()
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
            await asyncio.gather(*(_cancel(subscriber) for subscriber in ending))

    async def resume(self, reason: str) -> None:
        """Take requests again, unless there is another reason not to.

        Raises:
            AMQPError, OSError, RuntimeError: the broker is away; to be tried again.
        """
        self._paused.pop(reason, None)
        async with self._turning:
            starting = [it for one, it in self._subscribers.items() if self._may_consume(one)]
            # All of them come to their end before one is tried again: none may consume a queue twice.
            ends = await asyncio.gather(*map(_consume, starting), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def add(self, consumer: Consumer) -> None:
        """Consume one more queue while the others go on.

        Raises:
            AMQPError, OSError, RuntimeError: the broker is away, or has no such queue.
        """
        await self._look_for(consumer.queue)
        subscriber = self._subscribe(consumer)
        await subscriber.start()
        self._subscribers[consumer] = subscriber
        if not self._may_consume(consumer):
            async with self._turning:
                await _cancel(subscriber)

    async def remove(self, consumer: Consumer) -> None:
        """Consume a queue no more, once nothing of it is in hand: a queue without consumers is all free."""
        while self._in_hand[consumer.queue]:
            self._put_down.clear()
            await self._put_down.wait()
        subscriber = self._subscribers.pop(consumer, None)
        if subscriber is not None:
            async with self._turning:
                await _cancel(subscriber)

    async def close(self) -> None:
        """Close the connection; the broker returns every delivery that was not acknowledged."""
        self._stands = False
        await self._broker.stop()

    async def _look_for(self, queue: str) -> None:
        # The framework keeps what could not be started, with its channel, for as long as the worker lives.
        connection = await self._broker.connect()
        async with connection.channel() as channel:
            await channel.get_queue(queue)

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
        subscriber = self._broker.subscriber(
            # Declared by the deploy step: here its absence is an error, not something to mend.
            RabbitQueue(consumer.queue, declare=False),
            channel=Channel(prefetch_count=consumer.prefetch),
            # The framework's own answer would go wherever the sender says, to any exchange.
            no_reply=True,
            decoder=_undecoded,
        )

        async def take(message: RabbitMessage) -> None:
            self._in_hand[consumer.queue] += 1
            try:
                outcome = await consumer.take(delivery_of(message.raw_message, consumer.queue))
                await _settle(message, outcome)
                self._observer.settled(outcome)
            finally:
                self._in_hand[consumer.queue] -= 1
                self._put_down.set()

        subscriber(take)
        return subscriber


async def _undecoded(message: RabbitMessage) -> RabbitMessage:
    """Hand over the message as it is: a decoder that raises would leave a bad message stuck for ever."""
    return message


async def _settle(message: RabbitMessage, outcome: Outcome) -> None:
    match outcome:
        case Outcome.DONE:
            await message.ack()
        case Outcome.HAND_BACK | Outcome.BURY:
            await message.nack(requeue=True)


async def _cancel(subscriber: RabbitSubscriber) -> None:
    """Cancel one consumer now.

    The framework's own stop first waits for running handlers, and hides what arrives meanwhile.
    """
    queue, tag = _consumer_of(subscriber)
    if queue is None or tag is None:
        return
    private: Any = subscriber
    private._consumer_tag = None  # noqa: SLF001 - as in _consumer_of
    with suppress(*AWAY):
        # Where the channel is gone, this keeps the client library from consuming again once it is back.
        await queue.cancel(tag, timeout=CANCEL_TIMEOUT_S)


async def _consume(subscriber: RabbitSubscriber) -> None:
    queue, tag = _consumer_of(subscriber)
    if queue is not None and tag is None:
        private: Any = subscriber
        private._consumer_tag = await queue.consume(subscriber.consume, timeout=CANCEL_TIMEOUT_S)  # noqa: SLF001


def _consumes(subscriber: RabbitSubscriber) -> bool:
    queue, tag = _consumer_of(subscriber)
    return queue is not None and tag is not None and not queue.channel.is_closed


def _consumer_of(subscriber: RabbitSubscriber) -> tuple[Any, str | None]:
    """The framework has no public way to its consumer; these two private names are used here alone."""
    private: Any = subscriber
    return private._queue_obj, private._consumer_tag  # noqa: SLF001
