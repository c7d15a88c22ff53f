"""One connection through the proxy: two lanes with bounded buffers, and the harm that is done to them."""

import asyncio
import socket
import struct
from contextlib import suppress
from enum import Flag, auto

READ_BYTES = 16_384
MOST_PIECES = 256
CONNECT_DEADLINE_S = 10.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Piece = tuple[float, bytes | None]
"""When it came, and what: nothing in it is an end, None a broken connection."""


class Way(Flag):
    """The directions of a connection, as its client sees them."""

    UP = auto()
    DOWN = auto()
    BOTH = UP | DOWN


class Harm:
    """What is done to all connections of a proxy now."""

    def __init__(self) -> None:
        self._open = {Way.UP: asyncio.Event(), Way.DOWN: asyncio.Event()}
        self._delays_s = {Way.UP: 0.0, Way.DOWN: 0.0}
        self._s_per_byte = {Way.UP: 0.0, Way.DOWN: 0.0}
        self.heal()

    def lose(self, way: Way) -> None:
        """Pass nothing on."""
        for each in way:
            self._open[each].clear()

    def delay(self, way: Way, seconds: float) -> None:
        """Pass everything on later."""
        for each in way:
            self._delays_s[each] = seconds

    def throttle(self, way: Way, bytes_per_s: float) -> None:
        """Pass no more than this on."""
        for each in way:
            self._s_per_byte[each] = 1 / bytes_per_s

    def heal(self) -> None:
        """Pass everything on at once."""
        for each in Way.BOTH:
            self._open[each].set()
            self._delays_s[each] = 0.0
            self._s_per_byte[each] = 0.0

    async def until_due(self, way: Way, came: float) -> None:
        """Wait until what came then may be passed on."""
        left = came + self._delays_s[way] - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)
        await self._open[way].wait()

    async def take_time(self, way: Way, size: int) -> None:
        """Wait as long as so many bytes take."""
        if seconds := self._s_per_byte[way] * size:
            await asyncio.sleep(seconds)


class BrokenError(Exception):
    """One side broke the connection, and the other one learns of it now."""


class Link:
    """A client, the target behind the proxy, and what goes between them."""

    def __init__(self, client: Ends, target: tuple[str, int], harm: Harm) -> None:
        self._client = client
        self._target = target
        self._harm = harm
        self._writers = [client[1]]

    async def run(self) -> None:
        """Pass everything on until both sides have ended, or one has broken."""
        try:
            await self._run()
        except* (OSError, TimeoutError, BrokenError):
            self.reset()
        finally:
            for writer in self._writers:
                writer.close()

    def reset(self) -> None:
        """Break the connection for both sides."""
        for writer in self._writers:
            raw: socket.socket | None = writer.get_extra_info("socket")
            with suppress(OSError):  # it may be closed already
                if raw is not None:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()

    async def _run(self) -> None:
        await self._harm.until_due(Way.UP, asyncio.get_running_loop().time())
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            target = await asyncio.open_connection(*self._target)
        self._writers.append(target[1])
        async with asyncio.TaskGroup() as lanes:
            for way, source, sink in ((Way.UP, self._client, target), (Way.DOWN, target, self._client)):
                pieces: asyncio.Queue[Piece] = asyncio.Queue(MOST_PIECES)
                lanes.create_task(_gather(source[0], pieces))
                lanes.create_task(_pass_on(pieces, sink[1], way, self._harm))


async def _gather(source: asyncio.StreamReader, pieces: asyncio.Queue[Piece]) -> None:
    clock = asyncio.get_running_loop().time
    try:
        while data := await source.read(READ_BYTES):
            await pieces.put((clock(), data))
        await pieces.put((clock(), b""))
    except ConnectionError:
        await pieces.put((clock(), None))


async def _pass_on(pieces: asyncio.Queue[Piece], sink: asyncio.StreamWriter, way: Way, harm: Harm) -> None:
    data: bytes | None = b"more"
    while data:
        came, data = await pieces.get()
        await harm.until_due(way, came)
        if data is None:
            raise BrokenError
        await harm.take_time(way, len(data))
        # A sink that broke says so to whoever reads from it, and is heard there.
        with suppress(ConnectionError):
            sink.write(data)
            await sink.drain()
    with suppress(OSError):
        sink.write_eof()
