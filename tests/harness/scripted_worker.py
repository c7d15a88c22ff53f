"""A worker that says what a test tells it to: real queues, no DeepSeek."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from fleet_contracts.topology import REQUESTS, REQUESTS_BATCH
from harness.replies import Json, encoded

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    message: AbstractIncomingMessage
    channel: AbstractChannel

    @property
    def id(self) -> str:
        return self.message.correlation_id or ""

    @property
    def reply_to(self) -> str:
        return self.message.reply_to or ""

    @property
    def body(self) -> dict[str, Any]:
        return orjson.loads(self.message.body)

    async def say(self, *replies: Json) -> None:
        for reply in replies:
            await self.channel.default_exchange.publish(_message(self.id, reply), self.reply_to)


Script = Callable[[Asked], Awaitable[None]]


class ScriptedWorker:
    """What was asked of it, in order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._news = asyncio.Condition()

    async def until_asked(self, times: int = 1) -> list[Asked]:
        async with asyncio.timeout(_PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= times)
        return self.asked

    async def note(self, asked: Asked) -> None:
        async with self._news:
            self.asked.append(asked)
            self._news.notify_all()


async def say_nothing(_: Asked) -> None:
    """Take the request and leave it at that."""


@asynccontextmanager
async def scripted_worker(url: str, script: Script = say_nothing) -> AsyncGenerator[ScriptedWorker]:
    """Consume both lanes of the vhost at `url` and play `script` for each request."""
    worker = ScriptedWorker()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=False)

        async def serve(message: AbstractIncomingMessage) -> None:
            asked = Asked(message, channel)
            await message.ack()
            await worker.note(asked)
            await script(asked)

        for name in (REQUESTS, REQUESTS_BATCH):
            queue = await channel.get_queue(name, ensure=False)
            await queue.consume(serve)
        yield worker


async def say(url: str, asked: Asked, *replies: Json) -> None:
    """Send replies over a connection of their own, for when the worker's has been cut."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        for reply in replies:
            await channel.default_exchange.publish(_message(asked.id, reply), asked.reply_to)


def _message(correlation_id: str, reply: Json) -> aio_pika.Message:
    return aio_pika.Message(
        encoded(reply),
        correlation_id=correlation_id,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        type=f"{reply['kind']}.v1",
        headers={"fleet-id": reply["id"]},
    )
