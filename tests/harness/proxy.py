"""A TCP proxy that breaks in the ways in which networks break, on the test's own event loop."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from harness.proxied import Harm, Link, Way

LOOPBACK = "127.0.0.1"

__all__ = ["Proxy", "Way", "a_proxy"]


class Proxy:
    """Stands before `host:port`, passes everything on, and does harm when told to.

    Harm is done to the connections that stand and to those that come, until `heal`.
    """

    def __init__(self, host: str, port: int) -> None:
        self.accepted = 0
        """How many connections were taken over all."""
        self._target = host, port
        self._harm = Harm()
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        # Bound but never listening: it keeps the port ours while connections to it are refused.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]

    @property
    def connections(self) -> int:
        """How many connections stand now."""
        return len(self._links)

    def before(self, url: str) -> str:
        """`url` with the proxy in the place of its host and port."""
        where = urlsplit(url)
        user, at, _ = where.netloc.rpartition("@")
        return where._replace(netloc=f"{user}{at}{LOOPBACK}:{self.port}").geturl()

    def reset(self) -> None:
        """Break every standing connection for both sides at once (RST), as a restarted firewall does."""
        for link in self._links:
            link.reset()

    def blackhole(self, way: Way = Way.BOTH) -> None:
        """Pass nothing on in this direction, not even an end; connections are taken and nobody is told.

        What was sent meanwhile arrives after `heal`, as TCP would send it again. A connection that comes
        while `UP` is lost reaches the other side only then.
        """
        self._harm.lose(way)

    def delay(self, seconds: float, way: Way = Way.BOTH) -> None:
        """Let everything arrive `seconds` later in this direction, in order and without less throughput."""
        self._harm.delay(way, seconds)

    def throttle(self, bytes_per_s: float, way: Way = Way.BOTH) -> None:
        """Let no more than this through each connection in this direction."""
        self._harm.throttle(way, bytes_per_s)

    def lead_to(self, host: str, port: int) -> None:
        """Stand before another place from now on, as a balancer does; what stands goes on to the old one."""
        self._target = host, port

    def refuse(self) -> None:
        """Refuse connections, as a machine on which nothing listens; those that stand are left alone."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def heal(self) -> None:
        """End all harm. What was broken stays broken; what was held back arrives."""
        self._harm.heal()
        if self._server is None:
            self._server = await asyncio.start_server(self._take, sock=_bound(self.port))

    async def aclose(self) -> None:
        """Break what stands, and listen no longer."""
        self.refuse()
        self.reset()
        tasks = list(self._links.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._holder.close()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = Link((reader, writer), self._target, self._harm)
        task = asyncio.create_task(link.run(), name="a proxied connection")
        self._links[link] = task
        task.add_done_callback(lambda _: self._links.pop(link))


@asynccontextmanager
async def a_proxy(host: str, port: int) -> AsyncGenerator[Proxy]:
    """A healthy proxy before `host:port`; its connections end with it."""
    proxy = Proxy(host, port)
    await proxy.heal()
    try:
        yield proxy
    finally:
        await proxy.aclose()


@asynccontextmanager
async def a_proxy_before(url: str) -> AsyncGenerator[Proxy]:
    """As `a_proxy`, before the host and port of `url`; `proxy.before(url)` leads through it."""
    where = urlsplit(url)
    assert where.hostname, "a URL with a host"
    assert where.port, "a URL with a port"
    async with a_proxy(where.hostname, where.port) as proxy:
        yield proxy


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((LOOPBACK, port))
    return bound
