"""A backend that speaks plain AMQP: publishes a body, and reads what comes back."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from fleet_chassis.topology import declare_queue
from fleet_contracts.grammar import CANCEL_TYPE
from fleet_contracts.topology import CONTROL, REQUESTS, REQUESTS_DEAD, RESULTS, reply_queue
from harness.waiting import PAUSE_S

PATIENCE_S = 20.0
TERMINAL = ("result", "failure")


class Caller:
    """One channel, one reply queue, and everything that arrived on it."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue) -> None:
        self.channel = channel
        self.reply_to = queue.name
        self.queue = queue
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    async def listen(self) -> None:
        await self.queue.consume(self._arrived.put, no_ack=True)

    async def ask(
        self, body: object, *, exchange: str = REQUESTS, key: str = "interactive.acme", **properties: Any
    ) -> str:
        """Publish a request; returns its correlation ID."""
        properties.setdefault("correlation_id", f"c-{uuid4().hex[:8]}")
        properties.setdefault("reply_to", self.reply_to)
        properties.setdefault("message_id", uuid4().hex)
        message = aio_pika.Message(
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            **properties,
        )
        target = await self.channel.get_exchange(exchange) if exchange else self.channel.default_exchange
        await target.publish(message, key)
        return str(properties["correlation_id"])

    async def cancel(
        self, correlation_id: str | None, *, key: str = "cancel.acme", **properties: Any
    ) -> None:
        """Publish a cancel."""
        properties = {"type": CANCEL_TYPE, "reply_to": None, "correlation_id": correlation_id, **properties}
        await self.ask({}, exchange=CONTROL, key=key, **properties)

    async def next(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next reply's body; its headers must say the same."""
        async with asyncio.timeout(timeout_s):
            message = await self._arrived.get()
        body = json.loads(message.body)
        assert message.headers["fleet-id"] == body["id"]
        assert message.type == f"{body['kind']}.v1"
        return body | {"correlation_id": message.correlation_id}

    async def until_end(self, timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Every reply up to the terminal one."""
        replies: list[dict[str, Any]] = []
        async with asyncio.timeout(timeout_s):
            while not replies or replies[-1]["kind"] not in TERMINAL:
                replies.append(await self.next(timeout_s))
        return replies

    async def silence(self, seconds: float = 0.3) -> None:
        """Nothing more comes."""
        await asyncio.sleep(seconds)
        assert self._arrived.empty(), self._arrived.get_nowait().body[:200]


@asynccontextmanager
async def a_caller(url: str, tenant: str = "acme") -> AsyncGenerator[Caller]:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        wanted = reply_queue(tenant, uuid4().hex[:8])
        await declare_queue(channel, wanted)
        caller = Caller(channel, await channel.get_queue(wanted.name, ensure=False))
        await caller.listen()
        yield caller


@asynccontextmanager
async def a_follower(url: str, pattern: str = "#") -> AsyncGenerator[Caller]:
    """Reads `deepseek.results` instead of a reply queue."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(RESULTS, pattern)
        follower = Caller(channel, queue)
        await follower.listen()
        yield follower


async def dead_letters(url: str) -> list[AbstractIncomingMessage]:
    """Takes every finished dead letter that is there now; `until_buried` waits for those to come."""
    async with _where_the_dead_lie(url) as queue:
        return await _all_in(queue)


async def until_buried(url: str, count: int = 1) -> list[AbstractIncomingMessage]:
    """Takes finished dead letters until there are so many.

    No reply promises one: it is written after the failure is told, and beside the replies to other requests.
    """
    taken: list[AbstractIncomingMessage] = []
    async with asyncio.timeout(PATIENCE_S), _where_the_dead_lie(url) as queue:
        while len(taken := taken + await _all_in(queue)) < count:  # noqa: ASYNC110 - a queue can only be asked
            await asyncio.sleep(PAUSE_S)
    return taken


@asynccontextmanager
async def _where_the_dead_lie(url: str) -> AsyncGenerator[AbstractQueue]:
    async with await aio_pika.connect(url) as connection:
        yield await (await connection.channel()).get_queue(REQUESTS_DEAD)


async def _all_in(queue: AbstractQueue) -> list[AbstractIncomingMessage]:
    taken: list[AbstractIncomingMessage] = []
    while (message := await queue.get(no_ack=True, fail=False)) is not None:
        taken.append(message)
    return taken


def text_of(replies: list[dict[str, Any]], field: str = "content") -> str:
    """The streamed text of one field; checks that its chunks are gapless and of one attempt."""
    chunks = [reply for reply in replies if reply["kind"] == "chunk"]
    assert [chunk["seq"] for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk["attempt"] for chunk in chunks}) <= 1
    return "".join(chunk["delta"].get(field) or "" for chunk in chunks)
