"""The least AMQP client: raw frames over one channel, so that a bench's own share of the work stays small."""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

METHOD, HEADER, BODY = 1, 2, 3
CHANNEL = 1
_HEAD = struct.Struct(">BHI")
_END = b"\xce"
_DELIVER, _ACK, _FLOW = 60 << 16 | 60, 60 << 16 | 80, 20 << 16 | 20
_START, _TUNE, _OPEN_OK, _CLOSE = 10 << 16 | 10, 10 << 16 | 30, 10 << 16 | 41, 10 << 16 | 50
_CHANNEL_CLOSE = 20 << 16 | 40
_BLOCKED, _UNBLOCKED = 10 << 16 | 60, 10 << 16 | 61

Take = Callable[[int, bytes, bytes], None]
"""Takes a delivery: its tag, its content header as it came, its body."""


class BrokerError(Exception):
    """The broker closed the channel or the connection."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a message of a bench says of itself."""

    correlation_id: str
    reply_to: str = ""
    type: str = ""


def short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def framed(kind: int, payload: bytes, channel: int = CHANNEL) -> bytes:
    return _HEAD.pack(kind, channel, len(payload)) + payload + _END


def publish_method(exchange: str, key: str) -> bytes:
    return framed(METHOD, struct.pack(">II", 60 << 16 | 40, 0)[:6] + short(exchange) + short(key) + b"\x00")


def publication(method: bytes, properties: Properties, body: bytes, *, durable: bool = True) -> bytes:
    """A whole publish. `method` comes from `publish_method`, once for a target."""
    flags, values = 1 << 15 | 1 << 12 | 1 << 10, [short("application/json"), b"\x02" if durable else b"\x01"]
    values.append(short(properties.correlation_id))
    if properties.reply_to:
        flags |= 1 << 9
        values.append(short(properties.reply_to))
    flags |= 1 << 7
    values.append(short(properties.correlation_id))
    if properties.type:
        flags |= 1 << 5
        values.append(short(properties.type))
    head = struct.pack(">HHQH", 60, 0, len(body), flags) + b"".join(values)
    return b"".join((method, framed(HEADER, head), _HEAD.pack(BODY, CHANNEL, len(body)), body, _END))


class Amqp(asyncio.Protocol):
    """One connection with one channel. Deliveries go to `take`."""

    def __init__(self, url: str, take: Take) -> None:
        self._url = urlsplit(url)
        self._take = take
        self._rest = b""
        self._tag = 0
        self._header = b""
        self._body = b""
        self._left = -1
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self.room = asyncio.Event()
        self.room.set()

    @classmethod
    async def connect(cls, url: str, take: Take = lambda _tag, _header, _body: None) -> "Amqp":
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(
            lambda: cls(url, take), parts.hostname or "", parts.port or 5672
        )
        client.transport.write(b"AMQP\x00\x00\x09\x01")
        await client._answer
        await client.call(20 << 16 | 10, b"\x00")
        return client

    async def call(self, method: int, arguments: bytes) -> bytes:
        """One question to the broker; returns the arguments of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(framed(METHOD, struct.pack(">I", method) + arguments))
        async with asyncio.timeout(10):
            return await self._answer

    async def declare(self, queue: str, *, passive: bool = False) -> int:
        """Make a classic durable queue, or look at one; returns how many messages wait in it."""
        bits = b"\x01" if passive else b"\x02"
        answer = await self.call(50 << 16 | 10, b"\x00\x00" + short(queue) + bits + b"\x00" * 4)
        return int(struct.unpack_from(">I", answer, 1 + answer[0])[0])

    async def bind(self, queue: str, exchange: str, key: str) -> None:
        await self.call(
            50 << 16 | 20, b"\x00\x00" + short(queue) + short(exchange) + short(key) + b"\x00" + b"\x00" * 4
        )

    async def consume(self, queue: str, *, prefetch: int = 0) -> None:
        """Deliveries begin; without acks where `prefetch` is 0."""
        if prefetch:
            await self.call(60 << 16 | 10, struct.pack(">IHB", 0, prefetch, 0))
        bits = b"\x00" if prefetch else b"\x02"
        await self.call(60 << 16 | 20, b"\x00\x00" + short(queue) + short("bench") + bits + b"\x00" * 4)

    def ack(self, tag: int) -> None:
        self.transport.write(framed(METHOD, struct.pack(">IQB", _ACK, tag, 0)))

    def write(self, frames: bytes) -> None:
        self.transport.write(frames)

    def close(self) -> None:
        self.transport.close()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= 7:
            kind, channel, size = _HEAD.unpack_from(data, at)
            after = at + size + 8
            if after > end:
                break
            self._frame(kind, channel, data[at + 7 : after - 1])
            at = after
        self._rest = data[at:]

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == BODY:
            self._body = self._body + payload if self._body else payload
            self._left -= len(payload)
            if self._left == 0:
                self._take(self._tag, self._header, self._body)
        elif kind == HEADER:
            self._header, self._body = payload, b""
            (self._left,) = struct.unpack_from(">Q", payload, 4)
        elif kind == METHOD:
            (method,) = struct.unpack_from(">I", payload)
            if method == _DELIVER:
                (self._tag,) = struct.unpack_from(">Q", payload, 5 + payload[4])
            else:
                self._method(method, channel, payload[4:])

    def _method(self, method: int, channel: int, arguments: bytes) -> None:
        if method == _START:
            user, password = unquote(self._url.username or "guest"), unquote(self._url.password or "guest")
            word = f"\0{user}\0{password}".encode()
            answer = b"\0" * 4 + short("PLAIN") + struct.pack(">I", len(word)) + word + short("en_US")
            self.transport.write(framed(METHOD, struct.pack(">I", 10 << 16 | 11) + answer, 0))
        elif method == _TUNE:
            vhost = unquote(self._url.path[1:]) or "/"
            tune_ok = struct.pack(">IHIH", 10 << 16 | 31, 1, 131072, 0)
            opened = struct.pack(">I", 10 << 16 | 40) + short(vhost) + b"\x00\x00"
            self.transport.write(framed(METHOD, tune_ok, 0) + framed(METHOD, opened, 0))
        elif method in {_CLOSE, _CHANNEL_CLOSE}:
            reason = arguments[3 : 3 + arguments[2]].decode(errors="replace")
            self._settle(BrokerError(f"the broker closed it: {reason}"))
        elif method in {_BLOCKED, _UNBLOCKED, _FLOW, _ACK}:
            pass
        elif channel or method == _OPEN_OK:
            self._settle(arguments)

    def _settle(self, answer: bytes | BrokerError) -> None:
        if self._answer.done():
            if isinstance(answer, BrokerError):
                raise answer
        elif isinstance(answer, BrokerError):
            self._answer.set_exception(answer)
        else:
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(BrokerError(f"the connection was lost: {exc}"))
