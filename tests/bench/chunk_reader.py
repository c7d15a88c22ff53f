"""Reads a reply queue as cheaply as can be, so that a bench's reader takes no core from what it measures."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel
from aiormq.connection import TCPTransportFactory

_HEAD = struct.Struct(">BHI")
_DELIVER = (60, 60)


@dataclass(slots=True)
class Read:
    """What has arrived so far."""

    accepted: int = 0
    chunks: int = 0
    characters: int = 0
    ended: int = 0
    heard: set[str] = field(default_factory=set[str])
    """The requests whose chunks came."""

    def take(self, body: bytes) -> None:
        reply: dict[str, Any] = orjson.loads(body)
        kind = reply["kind"]
        if kind == "chunk":
            self.chunks += 1
            self.heard.add(reply["id"].partition(":")[0])
            self.characters += sum(len(text) for text in reply["delta"].values())
        elif kind == "accepted":
            self.accepted += 1
        elif kind in {"result", "failure"}:
            self.ended += 1


class _Deliveries(asyncio.Protocol):
    """Takes deliveries out of the connection's bytes; whatever else comes is the client library's."""

    def __init__(self, inner: asyncio.Protocol, read: Read) -> None:
        self._inner = inner
        self._read = read
        self._rest = b""
        self._body = b""
        self._left = -1

    def data_received(self, data: bytes) -> None:
        data, at = self._rest + data, 0
        while len(data) - at >= 7:
            kind, channel, size = _HEAD.unpack_from(data, at)
            after = at + size + 8
            if after > len(data):
                break
            self._frame(kind, channel, data[at:after])
            at = after
        self._rest = data[at:]

    def _frame(self, kind: int, channel: int, frame: bytes) -> None:
        if kind == 2 and channel:
            (self._left,), self._body = struct.unpack_from(">Q", frame, 11), b""
        elif kind == 3 and channel:
            self._body += frame[7:-1]
            self._left -= len(frame) - 8
            if not self._left:
                self._read.take(self._body)
        elif kind != 1 or struct.unpack_from(">HH", frame, 7) != _DELIVER:
            self._inner.data_received(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class _Factory(TCPTransportFactory):
    def __init__(self, read: Read) -> None:
        self._read = read

    async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await super().create(url, **options)
        transport: Any = writer.transport
        transport.set_protocol(_Deliveries(transport.get_protocol(), self._read))
        return reader, writer


class _ReadingConnection(aio_pika.Connection):
    read: Read

    def __init__(self, url: Any, **options: Any) -> None:
        super().__init__(url, **options)
        self.read = Read()
        self.kwargs["transport_factory"] = _Factory(self.read)


@asynccontextmanager
async def reading(url: str, queue: str) -> AsyncGenerator[tuple[Read, AbstractChannel]]:
    """Declare `queue`, read it without acks, and lend the channel for publishing."""
    async with (
        await aio_pika.connect(url, connection_class=_ReadingConnection) as connection,
        await aio_pika.connect(url) as asking,
    ):
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "classic"})
        await declared.consume(lambda _: None, no_ack=True)  # type: ignore[arg-type]
        yield connection.read, await asking.channel()
