"""How a call is authorised: by the account's key, or by a session token that the key is exchanged for."""

from collections.abc import AsyncGenerator, Generator

import httpx

from fleet_worker.deepseek.exchange import Tokens
from fleet_worker.deepseek.keys import FixedKey, Keys, checked

_UNAUTHORIZED = 401
_HEADER = "Authorization"


class KeyAuth(httpx.Auth):
    """Sends the account's key with each call (https://api-docs.deepseek.com/api/deepseek-api).

    A 401 for a key that was changed meanwhile is no refusal of the account: the call is made once more, with
    the new key. A 401 comes before the call is taken on, so nothing is done or paid twice.

    Args:
        keys: Gives the key. No key is ever part of a repr, a log line or an error.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def __repr__(self) -> str:
        return f"KeyAuth({self._keys!r})"

    async def aclose(self) -> None:
        """Nothing runs that would have to end."""

    def hide(self, body: bytes) -> bytes:
        """`body` without the key, for servers that repeat the key that they refuse."""
        return self._keys.hide(body)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the Authorization header; nothing where the upstream wants no key."""
        key = self._keys.current()
        _authorize(request, key)
        response = yield request
        if response.status_code == _UNAUTHORIZED and (newer := self._keys.newer_than(key)):
            _authorize(request, newer)
            yield request


class SessionAuth(httpx.Auth):
    """Sends a session token with each call, for gateways that want the key exchanged first.

    DeepSeek itself takes the key alone, and has no such endpoint. A 401 for a token ends that token: the call
    is made once more, with the next one.

    Args:
        tokens: Gives the token that holds now.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __repr__(self) -> str:
        return f"SessionAuth({self._tokens!r})"

    async def aclose(self) -> None:
        """End the exchange that runs."""
        await self._tokens.aclose()

    def hide(self, body: bytes) -> bytes:
        """`body` without key and tokens."""
        return self._tokens.hide(body)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the Authorization header.

        Raises:
            CompletionError: the key could not be exchanged.
        """
        token = await self._tokens.current()
        _authorize(request, token)
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            self._tokens.refused(token)
            _authorize(request, await self._tokens.current())
            yield request


Auth = KeyAuth | SessionAuth


def auth_of(key: Auth | str) -> Auth:
    """The way to authorise calls with a key that stays the same, or the one that is given.

    Raises:
        ValueError: the key can't be a header's value.
    """
    return KeyAuth(FixedKey(checked(key))) if isinstance(key, str) else key


def _authorize(request: httpx.Request, secret: str) -> None:
    if secret:
        request.headers[_HEADER] = f"Bearer {secret}"
