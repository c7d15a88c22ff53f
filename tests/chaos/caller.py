"""Backends under chaos: they ask at a steady rate, and write down everything that comes back."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from uuid import uuid4

import aio_pika
import orjson
from aio_pika.abc import AbstractIncomingMessage

from chaos.asks import ask, is_right, text_of
from chaos.checker import TERMINAL
from chaos.events import Event, EventLog
from chaos.links import Outbox, keep_listening, keep_publishing
from chaos.plan import Plan
from fleet_chassis.topology import declare_queue
from fleet_contracts.grammar import CANCEL_TYPE
from fleet_contracts.topology import CONTROL, REQUESTS, reply_queue

TENANT = "chaos"
LATEST_S = 5.0
"""A cancel or a second publish comes within so many seconds, which is a little more than a call takes."""


class Caller:
    """One backend: a reply queue, what it asked, and the log of what it saw."""

    def __init__(self, log: EventLog, reply_to: str, outbox: Outbox) -> None:
        self._log = log
        self._reply_to = reply_to
        self._outbox = outbox
        self._bodies: dict[str, dict[str, Any]] = {}
        self._properties: dict[str, dict[str, Any]] = {}
        self._open: set[str] = set()
        self._news = asyncio.Event()
        self.ends = 0
        """Terminal replies so far, repeated ones among them."""
        self.heard: dict[str, list[dict[str, Any]]] = {}
        """The terminal replies of each request, refused publishes among them."""

    @property
    def in_vain(self) -> int:
        """Publishes that were not confirmed, and made again."""
        return self._outbox.in_vain

    @property
    def waiting(self) -> int:
        """Requests without a terminal reply."""
        return len(self._open)

    async def ask_all(self, plan: Plan) -> None:
        """Ask at the plan's rate; returns when everything is published, with all cancels and repetitions."""
        chance = random.Random(plan.seed)
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as publishes:
            for number in range(plan.requests):
                due = began + number / plan.rate
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                request = f"chaos-{number}-{uuid4().hex[:8]}"
                publishes.create_task(self.ask(request, ask(number)))
                if _comes_up(plan.cancel_every, number):
                    publishes.create_task(_later(chance.uniform(0, LATEST_S), self.cancel, request))
                if _comes_up(plan.repeat_every, number):
                    publishes.create_task(_later(chance.uniform(0, LATEST_S), self.repeat, request))

    async def ask(self, request: str, body: dict[str, Any], **properties: Any) -> None:
        """Publish a request until it is confirmed, with these properties and headers more."""
        self._bodies[request] = body
        self._properties[request] = properties
        self._open.add(request)
        self._note("published", request)
        await self._publish(request)
        self._note("confirmed", request)

    async def ask_again(self) -> int:
        """Publish everything once more that has no end yet; how many these were."""
        unanswered = list(self._open)
        for request in unanswered:
            await self.repeat(request)
        return len(unanswered)

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
            self.ends += 1
            self.heard.setdefault(request, []).append(body)
            self._open.discard(request)
            self._news.set()
        await message.ack()

    async def cancel(self, request: str, tenant: str = TENANT) -> None:
        """Take a request back."""
        self._note("cancel" if tenant == TENANT else "cancel of a stranger", request)
        message = aio_pika.Message(
            b"{}",
            type=CANCEL_TYPE,
            correlation_id=request,
            message_id=uuid4().hex,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._outbox.publish(CONTROL, f"cancel.{tenant}", message, mandatory=False)

    async def repeat(self, request: str) -> None:
        """Publish a request once more."""
        self._note("repeated", request)
        await self._publish(request)

    async def _publish(self, request: str) -> None:
        message = aio_pika.Message(
            orjson.dumps(self._bodies[request]),
            correlation_id=request,
            reply_to=self._reply_to,
            message_id=uuid4().hex,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            **self._properties[request],
        )
        await self._outbox.publish(REQUESTS, f"interactive.{TENANT}", message, mandatory=True)

    def _facts(self, request: str, body: dict[str, Any], raw: bytes) -> dict[str, Any]:
        match body["kind"]:
            case "accepted":
                return {"worker": body["worker"]}
            case "chunk":
                _, run, attempt, _ = body["id"].rsplit(":", 3)
                text = body["delta"].get("content") or ""
                return {"run": f"{run}:{attempt}", "seq": body["seq"], "text": text}
            case "restarted":
                return {"attempt": body["attempt"], "reason": body["reason"]}
            case "failure":
                return {"digest": sha256(raw).hexdigest(), "code": body["code"], "attempts": body["attempts"]}
            case "result":
                asked = self._bodies.get(request, {})
                return {
                    "digest": sha256(raw).hexdigest(),
                    "attempt": body["attempt"],
                    "attempts": body["attempts"],
                    "last_seq": body["last_seq"],
                    "degraded": body["degraded"],
                    "streamed": asked.get("stream", False),
                    "text": text_of(body["response"]),
                    "right": bool(asked) and is_right(asked, body["response"]),
                }
            case _:
                return {}

    def _note(self, kind: str, request: str, **fields: Any) -> None:
        self._log.write(Event(time.time(), kind, request, fields))  # noqa: TID251 - logs of several are put together


@asynccontextmanager
async def a_chaos_caller(url: str, log: EventLog) -> AsyncGenerator[Caller]:
    """A backend with a connection to listen and one to publish."""
    wanted = reply_queue(TENANT, uuid4().hex[:8])
    outbox = Outbox()
    caller = Caller(log, wanted.name, outbox)
    async with await aio_pika.connect(url) as connection:
        await declare_queue(await connection.channel(), wanted)
    keeping = [
        asyncio.create_task(keep_listening(url, wanted.name, caller.hear)),
        asyncio.create_task(keep_publishing(url, outbox)),
    ]
    try:
        yield caller
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
    async with await aio_pika.connect(url) as connection:
        await (await connection.channel()).queue_delete(wanted.name)


async def _later(after_s: float, do: Callable[[str], Awaitable[None]], request: str) -> None:
    await asyncio.sleep(after_s)
    await do(request)


def _comes_up(every: int, number: int) -> bool:
    return every > 0 and number % every == every - 1
