"""The one place that reaches below aio-pika: raw frames on a channel of its connection.

aio-pika keeps what it is good at: it connects, signs in, beats, opens the channel, and opens it again after a
loss. What it can't do at the speed of a stream of tokens is publish, which costs it a lock, a queue, three
futures and a system call for each message. So the channel's publishes are written past it, and their answers
taken out of what the socket brings before it sees them.

It relies on this, which tests/integration/worker/test_publishers.py holds every release to: aiormq asks
a transport factory for its socket; writes only whole frames; numbers a channel as `number` says; publishes
nothing on a channel by itself; and takes any frame, so also a heartbeat, as a sign of life.
"""

import asyncio
import secrets
from typing import Any

from aio_pika import RobustConnection
from aio_pika.abc import AbstractRobustChannel
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory

from fleet_worker.replies.answers import HEARTBEAT, Sieve
from fleet_worker.replies.outgoing import Compose, Ended, Outgoing, Posted
from fleet_worker.replies.pipeline import Pipeline

SIGN_OF_LIFE_S = 5.0


class TappedConnection(RobustConnection):
    """A connection that brings itself up again, and whose socket has a tap."""

    def __init__(self, url: Any, **options: Any) -> None:
        super().__init__(url, **options)
        plain = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        self._taps = _Taps(plain)
        self.kwargs["transport_factory"] = self._taps

    @property
    def tap(self) -> "Tap":
        """The tap of the socket that stands, or stood last."""
        if self._taps.last is None:
            raise RuntimeError(
                "the client library opened a socket past its tap: set FLEET_PLAIN_PUBLISH=true"
            )
        return self._taps.last


class WirePublisher:
    """Publishes raw frames on one channel, all that is ready in one write; confirms come back by number."""

    def __init__(self, connection: TappedConnection, channel: AbstractRobustChannel) -> None:
        self._connection = connection
        self.channel = channel
        self._pipeline = Pipeline(lambda: secrets.token_hex(8))

    @classmethod
    async def open(cls, connection: TappedConnection) -> "WirePublisher":
        """On a channel of its own; it comes back by itself with the connection."""
        channel = await connection.channel(publisher_confirms=True)
        publisher = cls(connection, channel)
        channel.reopen_callbacks.add(publisher._take_channel)
        await publisher._take_channel()
        return publisher

    @property
    def connected(self) -> bool:
        """Whether the connection is up now."""
        return self._connection.connected.is_set()

    def post(self, compose: Compose, ended: Ended) -> Posted:
        """As the protocol says."""
        return self._pipeline.post(compose, ended)

    async def publish(self, message: Outgoing) -> None:
        """As the protocol says."""
        await self._pipeline.publish(message)

    def close(self) -> None:
        """Publish nothing more; whatever has not ended has failed."""
        self._pipeline.close()

    async def _take_channel(self, *_: object) -> None:
        below = await self.channel.get_underlay_channel()
        frame_max = below.connection.connection_tune.frame_max
        self._connection.tap.open(below.number, frame_max or 0, self._pipeline)


class Tap(asyncio.Protocol):
    """Stands between the socket and the client library.

    Args:
        inner: The client library's protocol; it gets what is not ours.
        transport: The socket.
    """

    def __init__(self, inner: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self.channel = 0
        self.frame_max = 0
        self.inner = inner
        self._transport = transport
        self._clock = asyncio.get_running_loop().time
        self._passed_at = self._clock()
        self._sieve = Sieve()
        self._pipeline: Pipeline | None = None
        self._full = False

    def open(self, channel: int, frame_max: int, pipeline: Pipeline) -> None:
        """Take over the publishes of a channel that was just opened."""
        self.channel, self.frame_max = channel, frame_max
        self._sieve.channel = channel
        self._pipeline = pipeline
        pipeline.open(self, held=self._full or self._sieve.blocked)

    def write(self, frames: bytes) -> None:
        """Hand whole frames to the socket, between those of the client library."""
        if not self._transport.is_closing():
            self._transport.write(frames)

    def give_up(self) -> None:
        """Break the connection: a channel that answers nothing would not answer that it is closed either."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Keep the answers to our publishes, pass the rest on."""
        was_blocked = self._sieve.blocked
        through, answers = self._sieve.feed(data)
        now = self._clock()
        if not through and now - self._passed_at > SIGN_OF_LIFE_S:
            # The broker sends no heartbeat while it sends answers, and those are never seen behind the tap.
            through = HEARTBEAT
        if through:
            self._passed_at = now
            self.inner.data_received(through)
        if self._pipeline is not None:
            if answers:
                self._pipeline.hear(answers)
            if self._sieve.blocked is not was_blocked:
                self._hold()

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on; nothing more is confirmed."""
        self.inner.connection_lost(exc)
        if self._pipeline is not None:
            self._pipeline.lost(self)

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self.inner.pause_writing()
        self._full = True
        self._hold()

    def resume_writing(self) -> None:
        """The socket's buffer has room."""
        self.inner.resume_writing()
        self._full = False
        self._hold()

    def _hold(self) -> None:
        if self._pipeline is not None:
            self._pipeline.hold(self, held=self._full or self._sieve.blocked)


class _Taps(TransportFactory):
    """Puts a tap on each socket that is opened."""

    def __init__(self, plain: TransportFactory) -> None:
        self._plain = plain
        self.last: Tap | None = None

    async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a socket as the client library does by itself."""
        reader, writer = await self._plain.create(url, **options)
        # Nothing was read yet: in AMQP the client speaks first.
        transport: Any = writer.transport
        self.last = Tap(transport.get_protocol(), transport)
        transport.set_protocol(self.last)
        return reader, writer
