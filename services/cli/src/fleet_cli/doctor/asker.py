"""Asks a broker about exchanges and queues. A refusal closes the channel, so the next question opens one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)

from fleet_contracts.topology import Exchange, Queue

ANSWER_DEADLINE_S = 8.0

Question = Callable[[AbstractChannel], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages that are ready in a queue, and its consumers."""

    messages: int
    consumers: int


@dataclass(frozen=True, slots=True)
class Differs:
    """Something of that name exists with other arguments; the broker's own words say which."""

    words: str


class Missing:
    """Nothing of that name exists."""


class Forbidden:
    """This user may not ask."""


class Same:
    """It exists with these very arguments."""


Finding = Same | Differs | Missing | Forbidden


class Asker:
    """One connection's questions, one after the other."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._channel: AbstractChannel | None = None

    async def compare_exchange(self, exchange: Exchange) -> Finding:
        """Whether the broker holds this exchange."""
        kind = ExchangeType(exchange.kind)
        return await self._compare(
            lambda channel: channel.declare_exchange(exchange.name, kind, passive=True),
            lambda channel: channel.declare_exchange(
                exchange.name, kind, durable=True, arguments=exchange.arguments
            ),
        )

    async def compare_queue(self, queue: Queue) -> Finding:
        """Whether the broker holds this queue."""
        return await self._compare(
            lambda channel: channel.declare_queue(queue.name, passive=True),
            lambda channel: channel.declare_queue(queue.name, durable=True, arguments=queue.arguments),
        )

    async def count(self, queue: str) -> Counts | Missing | Forbidden:
        """How many messages and consumers a queue has."""
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                declared = await (await self._open()).declare_queue(queue, passive=True)
        except ChannelNotFoundEntity:
            return Missing()
        except (ChannelAccessRefused, ChannelLockedResource):
            return Forbidden()
        result = declared.declaration_result
        return Counts(result.message_count or 0, result.consumer_count or 0)

    async def _compare(self, look: Question, declare: Question) -> Finding:
        """Look first, then declare what is there.

        A passive declaration says only whether the name exists; an active one of what exists changes nothing
        and is refused where an argument differs (https://www.rabbitmq.com/docs/queues#property-equivalence).
        """
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                await look(await self._open())
                await declare(await self._open())
        except ChannelNotFoundEntity:
            return Missing()
        except (ChannelAccessRefused, ChannelLockedResource):
            return Forbidden()
        except ChannelPreconditionFailed as error:
            return Differs(str(error))
        return Same()

    async def _open(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel()
        return self._channel
