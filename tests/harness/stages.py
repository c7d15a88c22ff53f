"""Two stages for the same play: a real broker with a scripted worker, and a FakeFleet."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
import orjson

from fleet_client import Fleet
from fleet_client.face import Face
from fleet_client.sync import Fleet as SyncFleet
from fleet_client.sync.fleet import Calls
from fleet_client.testing import Asked, Fails, FakeFleet, Says, Silence, SyncFakeFleet
from fleet_contracts import Lane
from fleet_contracts.grammar import DEFAULT_TENANT, lane_and_tenant, results_key
from fleet_contracts.headers import PUBLISHED_MS
from fleet_contracts.reply import id_base
from fleet_contracts.topology import CONTROL, REPLY_PREFIX, RESULTS
from harness import replies as wire
from harness import scripted_worker as scripted
from harness.queues import until_read
from harness.waiting import until

Part = str | Says | Fails | Silence
Followed = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A fleet to ask, and what came of it."""

    fleet: Face
    asked: Callable[[], Sequence[Asked]]
    cancelled: Callable[[], Sequence[str]]
    said: Callable[[], Sequence[str]]
    followed: Followed

    async def until_followed(self, name: str = "invoices", readers: int = 1) -> None:
        """Until so many read these results."""
        await self.followed(name, readers)

    async def until_asked(self, times: int = 1) -> Sequence[Asked]:
        await until(lambda: len(self.asked()) >= times)
        return self.asked()

    async def until_said(self, correlation_id: str) -> None:
        """Until all replies to it have left the worker."""
        await until(lambda: correlation_id in self.said(), deadline_s=60)

    async def until_cancelled(self, *ids: str) -> None:
        await until(lambda: list(self.cancelled()) == list(ids))


Open = Callable[..., AbstractAsyncContextManager[Stage]]
"""Opens a stage: the parts of the play in order, and the options of `Fleet`."""


def fake_stage() -> Open:
    @asynccontextmanager
    async def opened(*parts: Part, **options: Any) -> AsyncGenerator[Stage]:
        fake = FakeFleet(*parts, otherwise=Silence(), **options)
        async with fake:
            followed = _followed_in_memory(fake, options.get("tenant", DEFAULT_TENANT))
            yield Stage(fake, lambda: fake.asked, lambda: fake.cancelled, lambda: fake.answered, followed)

    return opened


def broker_stage(url: str) -> Open:
    @asynccontextmanager
    async def opened(*parts: Part, **options: Any) -> AsyncGenerator[Stage]:
        asked: list[Asked] = []
        said: list[str] = []
        play = _play(deque(parts), asked, said)
        fleet = Fleet(url, **options)
        async with scripted.scripted_worker(url, play), cancels(url) as heard, fleet:
            followed = _followed_on(url, options.get("tenant", DEFAULT_TENANT))
            yield Stage(
                fleet, asked.copy, lambda: [each.correlation_id or "" for each in heard], said.copy, followed
            )

    return opened


def _followed_in_memory(fake: FakeFleet, tenant: str) -> Followed:
    exchange: Any = fake._memory.exchange  # pyright: ignore[reportPrivateUsage] -- a test may look inside

    async def followed(name: str, readers: int) -> None:
        queue = f"{tenant}.results.{name}"
        await until(lambda: queue in exchange._queues and len(exchange._queues[queue].readers) >= readers)

    return followed


def _followed_on(url: str, tenant: str) -> Followed:
    return lambda name, readers: until_read(url, f"{REPLY_PREFIX}{tenant}.results.{name}", readers)


@asynccontextmanager
async def cancels(url: str) -> AsyncGenerator[list[aio_pika.abc.AbstractIncomingMessage]]:
    """Every cancel that is published, as it comes."""
    heard: list[aio_pika.abc.AbstractIncomingMessage] = []

    async def hear(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        heard.append(message)

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(CONTROL, "cancel.#")
        await queue.consume(hear, no_ack=True)
        yield heard


def _play(
    parts: deque[Part], record: list[Asked], said: list[str]
) -> Callable[[scripted.Asked], Awaitable[None]]:
    async def play(asked: scripted.Asked) -> None:
        record.append(_recorded(asked))
        part = parts.popleft() if parts else Silence()
        reply = Says(part) if isinstance(part, str) else part
        spoken = list(_spoken(_base(asked), record[-1], reply))
        if asked.reply_to:
            await asked.say(*spoken)
        if not isinstance(reply, Silence):
            await _copy(asked, spoken[-1])
            said.append(asked.id)

    return play


def _recorded(asked: scripted.Asked) -> Asked:
    headers = dict(asked.message.headers)
    assert headers.pop(PUBLISHED_MS, 0), "a request says when it was published"
    return Asked(
        id=asked.id,
        tenant=str(headers["fleet-tenant"]),
        retry=int(str(headers.get("fleet-retry", 0))),
        lane=lane_and_tenant(asked.message.routing_key or "")[0] or Lane.INTERACTIVE,
        type=str(asked.message.type),
        headers=headers,
        wants_replies=bool(asked.reply_to),
        body=asked.body,
    )


def _base(asked: scripted.Asked) -> str:
    return id_base(asked.id, int(str(asked.message.headers.get("fleet-retry", 0))))


def _spoken(base: str, asked: Asked, reply: Says | Fails | Silence) -> Iterable[wire.Json]:
    if isinstance(reply, Fails | Silence) and asked.stream and reply.partial:
        yield wire.accepted(base)
        yield wire.chunk(base, 0, reply.partial)
    if isinstance(reply, Silence):
        return
    if isinstance(reply, Fails):
        partial = {"content": reply.partial} if reply.partial else None
        yield wire.failure(base, str(reply.code), partial=partial, upstream=reply.upstream)
        return
    if "fleet-waiting" in asked.headers:
        for number, position in enumerate(reply.waits):
            yield {**wire.waiting(base, number), "position": position}
    if asked.stream:
        yield from _chunks(base, reply)
    yield _result(base, asked, reply)


def _chunks(base: str, reply: Says) -> Iterable[wire.Json]:
    yield wire.accepted(base)
    for attempt, text in enumerate(reply.broken, start=1):
        yield wire.chunk(base, 0, text, attempt=attempt, run=f"r{attempt}")
        yield wire.restarted(base, attempt + 1, f"r{attempt + 1}")
    attempt = len(reply.broken) + 1
    deltas: list[wire.Json] = [
        *([{"reasoning_content": reply.reasoning}] if reply.reasoning else []),
        *({"content": piece} for piece in reply.pieces),
        *({"tool_calls": [{"index": index, **call}]} for index, call in enumerate(reply.tool_calls)),
    ]
    for seq, delta in enumerate(deltas):
        yield wire.chunk(base, seq, attempt=attempt, run=f"r{attempt}", **delta)


def _result(base: str, asked: Asked, reply: Says) -> wire.Json:
    text = "".join(reply.pieces)
    if asked.type == "fim.v1":
        return wire.fim_result(base, text)
    calls = [{"type": "function", **call} for call in reply.tool_calls]
    attempt = len(reply.broken) + 1
    result = wire.result(
        base, text, attempt=attempt, reasoning=reply.reasoning or None, tool_calls=calls or None
    )
    if reply.finish_reason:
        result["response"]["choices"][0]["finish_reason"] = reply.finish_reason
    return result


async def _copy(asked: scripted.Asked, end: wire.Json) -> None:
    results = await asked.channel.get_exchange(RESULTS, ensure=False)
    key = results_key(end["kind"], str(asked.message.headers["fleet-tenant"]), asked.body["model"])
    message = aio_pika.Message(
        orjson.dumps(end),
        correlation_id=asked.id,
        type=f"{end['kind']}.v1",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        headers={"fleet-id": end["id"]},
    )
    await results.publish(message, key, mandatory=False)


@dataclass(frozen=True, slots=True)
class SyncStage:
    """A fleet for code that waits: call it in a thread, since the worker is on this event loop."""

    fleet: Calls
    asked: Callable[[], Sequence[Asked]]
    cancelled: Callable[[], Sequence[str]]
    followed: Followed

    async def until_followed(self, name: str = "invoices") -> None:
        await self.followed(name, 1)

    async def until_asked(self, times: int = 1) -> None:
        await until(lambda: len(self.asked()) >= times)

    async def until_cancelled(self, *ids: str) -> None:
        await until(lambda: list(self.cancelled()) == list(ids))


OpenSync = Callable[..., AbstractAsyncContextManager[SyncStage]]


def sync_fake_stage() -> OpenSync:
    @asynccontextmanager
    async def opened(*parts: Part, **options: Any) -> AsyncGenerator[SyncStage]:
        fleet = SyncFakeFleet(*parts, otherwise=Silence(), **options)
        try:
            followed = _followed_in_memory(fleet.fake, options.get("tenant", DEFAULT_TENANT))
            yield SyncStage(fleet, lambda: fleet.fake.asked, lambda: fleet.fake.cancelled, followed)
        finally:
            await asyncio.to_thread(fleet.close)

    return opened


def sync_broker_stage(url: str) -> OpenSync:
    @asynccontextmanager
    async def opened(*parts: Part, **options: Any) -> AsyncGenerator[SyncStage]:
        async with broker_stage(url)(*parts) as stage:
            fleet = SyncFleet(url, **options)
            try:
                yield SyncStage(fleet, stage.asked, stage.cancelled, stage.followed)
            finally:
                await asyncio.to_thread(fleet.close)

    return opened
