"""A backend's connections to the broker, each made anew whenever it is gone."""

import asyncio
from collections.abc import Awaitable, Callable

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import AMQPError

CONFIRM_TIMEOUT_S = 5.0
PAUSE_S = 0.3
PREFETCH = 500
PASSING = (AMQPError, OSError, TimeoutError, RuntimeError)

Hear = Callable[[AbstractIncomingMessage], Awaitable[None]]


class Outbox:
    """Publishes until the broker has confirmed, whatever becomes of broker and connections."""

    def __init__(self) -> None:
        self._channel: AbstractChannel | None = None
        self.in_vain = 0
        """Publishes that the broker refused, or of which nothing was heard."""

    async def publish(self, exchange: str, key: str, message: aio_pika.Message, *, mandatory: bool) -> None:
        """Publish, again and again: asking twice is what callers do, and it must cost nothing."""
        # A broker tells nobody that it is back.
        while not await self._confirmed(exchange, key, message, mandatory=mandatory):  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_S)

    def use(self, channel: AbstractChannel) -> None:
        """Publish through this channel from now on."""
        self._channel = channel

    async def _confirmed(
        self, exchange: str, key: str, message: aio_pika.Message, *, mandatory: bool
    ) -> bool:
        if self._channel is None:
            return False
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                target = await self._channel.get_exchange(exchange, ensure=False)
                await target.publish(message, key, mandatory=mandatory)
        except PASSING:
            self.in_vain += 1
            return False
        return True


async def keep_publishing(url: str, outbox: Outbox) -> None:
    """Keep `outbox` supplied with a channel, until cancelled."""

    async def use(channel: AbstractChannel) -> None:
        outbox.use(channel)

    await _keep(url, use)


async def keep_listening(url: str, queue: str, hear: Hear) -> None:
    """Hear what comes into `queue`, until cancelled."""

    async def use(channel: AbstractChannel) -> None:
        await channel.set_qos(PREFETCH)
        await (await channel.get_queue(queue, ensure=False)).consume(hear)

    await _keep(url, use)


async def _keep(url: str, use: Callable[[AbstractChannel], Awaitable[None]]) -> None:
    while True:
        try:
            async with await aio_pika.connect(url, timeout=CONFIRM_TIMEOUT_S) as connection:
                channel = await connection.channel(on_return_raises=True)
                await use(channel)
                await channel.closed()
        except PASSING:
            pass
        await asyncio.sleep(PAUSE_S)
