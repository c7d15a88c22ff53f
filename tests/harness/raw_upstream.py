"""An upstream that is a bare TCP socket: it sends whatever a test tells it to, and counts what was taken."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from fleet_chassis.clock import SystemClock
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Wire:
    """One connection's way back to the client."""

    def __init__(self, writer: asyncio.StreamWriter, upstream: "RawUpstream") -> None:
        self._writer = writer
        self._upstream = upstream

    async def send(self, *pieces: bytes) -> None:
        """Send these bytes as they are."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            self._upstream.sent += len(piece)

    async def send_for_ever(self, piece: bytes, pause_s: float | None = None) -> None:
        """Until the client hangs up."""
        while True:
            await self.send(piece)
            if pause_s is not None:
                await asyncio.sleep(pause_s)

    async def chunk(self, *pieces: bytes) -> None:
        """Send these bytes, each as one chunk of HTTP."""
        for piece in pieces:
            await self.send(b"%x\r\n%b\r\n" % (len(piece), piece))

    async def chunk_for_ever(self, piece: bytes, pause_s: float | None = None) -> None:
        """Until the client hangs up."""
        await self.send_for_ever(b"%x\r\n%b\r\n" % (len(piece), piece), pause_s)

    async def hang_up(self) -> None:
        """Close the connection."""
        self._writer.close()


Answer = Callable[[Wire], Awaitable[None]]


class RawUpstream:
    """What became of the calls so far."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.connections = 0
        self.calls = 0
        self.sent = 0
        """Bytes that were written; what the client did not take is at most what the sockets hold."""
        self.hung_up = asyncio.Event()
        """The client closed a connection while it was written to."""

    def client(self, clocks: Clocks | None = None) -> DeepSeek:
        """A client of it."""
        return DeepSeek.open(Endpoints(self.url), "sk-1", clocks or Clocks(), SystemClock())


@asynccontextmanager
async def raw_upstream(*answers: Answer) -> AsyncGenerator[RawUpstream]:
    """Answers the first call by the first of `answers` and so on, and all further ones by the last."""
    upstream = RawUpstream()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                upstream.calls += 1
                await answers[min(upstream.calls, len(answers)) - 1](Wire(writer, upstream))
        except ConnectionError:
            upstream.hung_up.set()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    upstream.url = f"http://{host}:{port}"
    try:
        yield upstream
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def a_client_of(
    *answers: Answer, clocks: Clocks | None = None
) -> AsyncGenerator[tuple[RawUpstream, DeepSeek]]:
    """A raw upstream, and a client of it."""
    async with raw_upstream(*answers) as upstream, aclosing(upstream.client(clocks)) as deepseek:
        yield upstream, deepseek
