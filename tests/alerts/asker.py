"""A caller that asks and never reads, and outlives whatever befalls the broker."""

import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractRobustChannel

from fleet_contracts import Lane
from fleet_contracts.headers import PUBLISHED_MS
from fleet_contracts.topology import REQUESTS

UNREAD = "deepseek.reply.acme.unread"
FULL = "deepseek.reply.acme.full"
# Replies that nobody reads push each other out.
_KEPT = {"x-max-length": 10, "x-overflow": "drop-head"}


class Asker:
    """Publishes requests on one connection that mends itself."""

    def __init__(self, channel: AbstractRobustChannel) -> None:
        self._channel = channel

    async def ask(
        self,
        body: object,
        tenant: str,
        *,
        lane: Lane = Lane.INTERACTIVE,
        expires_s: float | None = None,
        reply_to: str = UNREAD,
    ) -> None:
        """Publish one request; bytes as they are, anything else as JSON."""
        message = aio_pika.Message(
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            correlation_id=f"c-{uuid4().hex}",
            message_id=uuid4().hex,
            reply_to=reply_to,
            expiration=expires_s,
            headers={PUBLISHED_MS: time.time_ns() // 1_000_000},
        )
        exchange = await self._channel.get_exchange(REQUESTS, ensure=False)
        await exchange.publish(message, f"{lane}.{tenant}", timeout=10)

    async def declare(self, queue: str, arguments: Mapping[str, Any]) -> None:
        """Make sure of a queue for replies."""
        await self._channel.declare_queue(queue, durable=True, arguments={**arguments})


@asynccontextmanager
async def an_asker(url: str) -> AsyncGenerator[Asker]:
    """One with its queue for replies."""
    connection = await aio_pika.connect_robust(url, reconnect_interval=1)
    async with connection:
        channel = await connection.channel()
        assert isinstance(channel, AbstractRobustChannel)
        asker = Asker(channel)
        await asker.declare(UNREAD, _KEPT)
        yield asker
