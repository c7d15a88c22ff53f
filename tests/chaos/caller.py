"""Backends under chaos: they publish at a steady rate, and write down everything that comes back."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from uuid import uuid4

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aiormq.exceptions import AMQPError

from chaos.asks import ask, is_right
from chaos.checker import TERMINAL
from chaos.events import Event, EventLog
from fleet_chassis.topology import declare_queue
from fleet_contracts.topology import REQUESTS, reply_queue

TENANT = "chaos"
CONFIRM_TIMEOUT_S = 5.0
PAUSE_S = 0.3
PREFETCH = 500
PASSING = (AMQPError, OSError, TimeoutError, RuntimeError)


class Caller:
    """One backend: a reply queue, what it asked, and the log of what it saw."""

    def __init__(self, log: EventLog, reply_to: str) -> None:
        self._log = log
        self._reply_to = reply_to
        self._bodies: dict[str, dict[str, Any]] = {}
        self._open: set[str] = set()
        self._news = asyncio.Event()
        self.exchange: AbstractExchange | None = None

    @property
    def waiting(self) -> int:
        """Requests without a terminal reply."""
        return len(self._open)

    async def ask_all(self, count: int, rate: float) -> None:
        """Publish `count` requests at `rate` a second, whatever the broker does meanwhile."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as publishes:
            for number in range(count):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                publishes.create_task(self._ask(number))

    async def until_answered(self, within_s: float) -> None:
        """Wait until every request has its terminal reply; TimeoutError after `within_s` seconds."""
        async with asyncio.timeout(within_s):
            while self._open:
                self._news.clear()
                await self._news.wait()

    async def hear(self, message: AbstractIncomingMessage) -> None:
        """Write one reply down, then acknowledge it: what a lost connection takes comes again."""
        body = orjson.loads(message.body)
        request = message.correlation_id or ""
        self._note(body["kind"], request, **self._facts(request, body, message.body))
        if body["kind"] in TERMINAL:
            self._open.discard(request)
            self._news.set()
        await message.ack()

    async def _ask(self, number: int) -> None:
        request, body = f"chaos-{number}-{uuid4().hex[:8]}", ask(number)
        self._bodies[request] = body
        self._open.add(request)
        self._note("published", request)
        message = aio_pika.Message(
            orjson.dumps(body),
            correlation_id=request,
            reply_to=self._reply_to,
            message_id=uuid4().hex,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        while not await self._published(message):  # noqa: ASYNC110 - a broker tells nobody that it is back
            await asyncio.sleep(PAUSE_S)
        self._note("confirmed", request)

    async def _published(self, message: aio_pika.Message) -> bool:
        if self.exchange is None:
            return False
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                await self.exchange.publish(message, f"interactive.{TENANT}")
        except PASSING:
            # It may have been taken all the same: asking twice is what callers do, and it must cost nothing.
            return False
        return True

    def _facts(self, request: str, body: dict[str, Any], raw: bytes) -> dict[str, Any]:
        match body["kind"]:
            case "chunk":
                _, run, attempt, _ = body["id"].rsplit(":", 3)
                return {"run": f"{run}:{attempt}", "seq": body["seq"]}
            case "restarted":
                return {"attempt": body["attempt"], "reason": body["reason"]}
            case "failure":
                return {"digest": sha256(raw).hexdigest(), "code": body["code"]}
            case "result":
                asked = self._bodies.get(request, {})
                return {
                    "digest": sha256(raw).hexdigest(),
                    "attempt": body["attempt"],
                    "last_seq": body["last_seq"],
                    "degraded": body["degraded"],
                    "streamed": asked.get("stream", False),
                    "right": bool(asked) and is_right(asked, body["response"]),
                }
            case _:
                return {}

    def _note(self, kind: str, request: str, **fields: Any) -> None:
        self._log.write(Event(time.time(), kind, request, fields))  # noqa: TID251 - logs of several are put together


@asynccontextmanager
async def a_chaos_caller(url: str, log: EventLog) -> AsyncGenerator[Caller]:
    """A backend with a connection to listen and one to publish, each made anew when it is gone."""
    wanted = reply_queue(TENANT, uuid4().hex[:8])
    caller = Caller(log, wanted.name)
    async with await aio_pika.connect(url) as connection:
        await declare_queue(await connection.channel(), wanted)
    keeping = [
        asyncio.create_task(_keep(url, lambda channel: _listen(channel, wanted.name, caller))),
        asyncio.create_task(_keep(url, lambda channel: _publish_through(channel, caller))),
    ]
    try:
        yield caller
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
    async with await aio_pika.connect(url) as connection:
        await (await connection.channel()).queue_delete(wanted.name)


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


async def _listen(channel: AbstractChannel, queue: str, caller: Caller) -> None:
    await channel.set_qos(PREFETCH)
    await (await channel.get_queue(queue, ensure=False)).consume(caller.hear)


async def _publish_through(channel: AbstractChannel, caller: Caller) -> None:
    caller.exchange = await channel.get_exchange(REQUESTS, ensure=False)
