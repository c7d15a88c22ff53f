"""The one door to aiohttp: httpx over its connections, which cost half of what httpx's own do."""

import socket
import ssl
from collections.abc import AsyncIterator
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream, map_aiohttp_exceptions

from fleet_worker.deepseek.pushing import Take, push

_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_IDLE_CONNECTION_S = 15
_NAME_KNOWN_S = 1
"""An address that is dead is looked up anew before a call's last attempt; the library's own is 10 s."""
_BODY = "fleet_body"

ADDRESS = "fleet_address"
"""The extension of a request that has its URL written out, where that is known already."""
PLAIN = {"Accept-Encoding": "identity"}
"""Asks for an answer that is not compressed."""

HttpClient = httpx.AsyncClient
RequestError = httpx.RequestError
"""What a call can fail with before its answer is whole."""


class PooledTransport(AiohttpTransport):
    """Sends requests over pooled connections, as many as are asked for: who calls decides how many at once.

    Args:
        tls: What certificates to trust.
        pushes: Whether bodies may be taken past the library's public way, which is faster.
    """

    def __init__(self, tls: ssl.SSLContext, *, pushes: bool) -> None:
        self._pushes = pushes
        # As a callable, for a session can be made only while an event loop runs.
        super().__init__(verify=tls, trust_env=False, client=lambda: _session(tls))
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; errors are httpx's.

        httpx-aiohttp calls every lost connection a connect timeout, and lets some errors through as they are.
        """
        try:
            response = await self._sent(request)
        except httpx.ConnectTimeout as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            raise httpx.RemoteProtocolError("the connection was lost before an answer came") from error
        except aiohttp.ClientError as error:
            raise httpx.RemoteProtocolError("the answer is no HTTP") from error
        pieces = SocketPieces(response.content, pushes=self._pushes)
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=AiohttpResponseStream(response),
            extensions={_BODY: pieces},
        )

    async def _sent(self, request: httpx.Request) -> aiohttp.ClientResponse:
        # As httpx-aiohttp does it, which writes out the address, makes the limits and looks up each header
        # by its name for every call: a twentieth of what a short one costs.
        if self._session is None:
            self._session = self.client = self.get_client()
        limits: dict[str, float | None] = request.extensions.get("timeout", {})
        headers = [(name.decode("ascii"), value.decode()) for name, value in request.headers.raw]
        try:
            return await self._session.request(
                request.method,
                request.extensions.get(ADDRESS) or str(request.url),
                headers=headers,
                data=request.content or None,
                allow_redirects=False,
                auto_decompress=False,
                timeout=_limits_of(limits.get("connect"), limits.get("pool"), limits.get("read")),
            )
        except Exception:
            with map_aiohttp_exceptions():
                raise


@cache
def _limits_of(connect: float | None, pool: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect, connect=pool, sock_read=read)


class SocketPieces:
    """The bytes of a body as they come from the socket.

    httpx would take each piece through four generators, which together cost as much as reading it.
    """

    def __init__(self, body: aiohttp.StreamReader, *, pushes: bool) -> None:
        self._body = body
        self._pushes = pushes

    @property
    def are_read(self) -> bool:
        """Whether the whole body was read."""
        return self._body.at_eof()

    async def push(self, take: Take) -> bool:
        """As `each_of`, past the library's public way where that is allowed."""
        if not self._pushes:
            return await _ask_each(self, take)
        try:
            return await push(self._body, take)
        except (aiohttp.ClientError, OSError) as error:
            raise _broke_off() from error

    def __aiter__(self) -> "SocketPieces":
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._body.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _broke_off() from error
        if not piece:
            raise StopAsyncIteration
        return piece


async def each_of(pieces: AsyncIterator[bytes], take: Take) -> bool:
    """Hand each piece to `take` as it comes, until it has the whole answer; False where it never has.

    Raises:
        httpx.RequestError: the body broke off.
    """
    return await (pieces.push(take) if isinstance(pieces, SocketPieces) else _ask_each(pieces, take))


async def _ask_each(pieces: AsyncIterator[bytes], take: Take) -> bool:
    async for piece in pieces:
        if take(piece):
            return True
    return False


def are_read(pieces: AsyncIterator[bytes]) -> bool:
    """Whether there is surely nothing more to read."""
    return isinstance(pieces, SocketPieces) and pieces.are_read


def _broke_off() -> httpx.ReadError:
    return httpx.ReadError("the connection was lost before the answer was whole")


def is_packed(response: httpx.Response) -> bool:
    """Whether the body is compressed: a few kilobytes of it may unpack to gigabytes, so it is left alone."""
    return response.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}


def pieces_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes, packed where it is packed; can be read on by another iterator.

    Raises:
        httpx.RequestError: from the iterator; the body broke off.
    """
    body: SocketPieces | None = response.extensions.get(_BODY)
    return body or response.aiter_raw()


async def body_of(response: httpx.Response, most_bytes: int) -> bytes:
    """The whole body, packed where it is packed.

    Raises:
        ValueError: it is longer than `most_bytes`.
        httpx.RequestError: it broke off.
    """
    body = bytearray()
    async for piece in pieces_of(response):
        body += piece
        if len(body) > most_bytes:
            raise ValueError(f"is longer than {most_bytes} bytes")
    return bytes(body)


def open_transport(tls: ssl.SSLContext | None = None, *, pushes: bool = True) -> PooledTransport:
    """Pooled connections; certifi's certificates are trusted where `tls` is None."""
    return PooledTransport(tls or httpx.create_ssl_context(trust_env=False), pushes=pushes)


def open_http(connect_s: float, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client that follows no redirect, reads no environment and keeps no cookie.

    Args:
        connect_s: Seconds to find the host and connect, TLS included. No other time limit is set.
        tls: What certificates to trust; certifi's where None.
    """
    return httpx.AsyncClient(
        transport=open_transport(tls),
        timeout=httpx.Timeout(None, connect=connect_s, pool=connect_s),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


def _session(tls: ssl.SSLContext) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        ssl=tls,
        keepalive_timeout=_IDLE_CONNECTION_S,
        ttl_dns_cache=_NAME_KNOWN_S,
        socket_factory=_socket,
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def _socket(address: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    """A socket that notices when the other side has gone without a word, within half a minute."""
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if option := getattr(socket, name, None):
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
