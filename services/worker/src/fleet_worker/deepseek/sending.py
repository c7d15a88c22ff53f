"""Sends calls in httpx's terms, without the steps of its client that no call here has a use for."""

import ssl
from typing import Any

import httpx

from fleet_worker.deepseek.auth import Auth
from fleet_worker.deepseek.transport import ADDRESS, PLAIN, open_transport

_HEADERS = httpx.Headers(
    {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        # Compressed streams arrive in lumps, and save little on events of one token.
        **PLAIN,
        "User-Agent": "deepseek-fleet",
    }
)


class Sender:
    """POSTs JSON, follows no redirect and keeps no cookie.

    `httpx.AsyncClient` would parse the address, merge its own headers and address into each call, and look
    for cookies in each answer: a third of what a short call costs. Requests, responses, errors,
    authorisation and transports are httpx's, all by its public names.

    Args:
        transport: Sends them.
        connect_s: Seconds to find the host and connect, TLS included; None for any time.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, connect_s: float | None = None) -> None:
        self._transport = transport
        self._extensions = {
            "timeout": {"connect": connect_s, "pool": connect_s, "read": None, "write": None},
        }
        self._known: dict[str, tuple[httpx.URL, dict[str, Any]]] = {}

    @classmethod
    def open(cls, connect_s: float, tls: ssl.SSLContext | None = None, *, pushes: bool = True) -> "Sender":
        """Over connections of its own; certifi's certificates are trusted where `tls` is None.

        `pushes`: whether streams may be read past the HTTP library's public way, which is faster.
        """
        return cls(open_transport(tls, pushes=pushes), connect_s)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def post(self, url: str, payload: bytes, auth: Auth) -> httpx.Response:
        """The answer, once its headers are here; whoever gets it closes it.

        Args:
            url: One of the few addresses that are called.
            payload: The JSON.
            auth: Authorises the call, and may have it made again.

        Raises:
            httpx.RequestError: there is none.
        """
        # As a stream that is read at once: of `content`, httpx would write host and length into the head,
        # which the transport does anyway, and build the whole head anew for it.
        stream = httpx.ByteStream(payload)
        address, extensions = self._known.get(url) or self._know(url)
        request = httpx.Request("POST", address, headers=_HEADERS, stream=stream, extensions=extensions)
        request.read()
        flow = auth.async_auth_flow(request)
        try:
            request = await anext(flow)
            while True:
                response = await self._transport.handle_async_request(request)
                response.request = request
                try:
                    request = await flow.asend(response)
                except StopAsyncIteration:
                    return response
                except BaseException:
                    await response.aclose()
                    raise
                await response.aclose()
        finally:
            await flow.aclose()

    def _know(self, url: str) -> tuple[httpx.URL, dict[str, Any]]:
        address = httpx.URL(url)
        known = self._known[url] = (address, {**self._extensions, ADDRESS: str(address)})
        return known
