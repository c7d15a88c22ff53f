"""The API key: sent with each call, shown nowhere."""

from collections.abc import Generator

import httpx


class BearerAuth(httpx.Auth):
    """Sends the account's key with each call (https://api-docs.deepseek.com/api/deepseek-api).

    Args:
        key: The key. Never part of a repr, a log line or an error.

    Raises:
        ValueError: the key can't be a header's value.
    """

    def __init__(self, key: str) -> None:
        key = key.strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ValueError("the API key is empty or holds characters that no key has: set DEEPSEEK_API_KEY")
        self._key = key
        self._header = f"Bearer {key}"

    def __repr__(self) -> str:
        return "BearerAuth(key='***')"

    def hide(self, body: bytes) -> bytes:
        """`body` without the key, for servers that repeat the key that they refuse."""
        return body.replace(self._key.encode(), b"***")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the Authorization header."""
        request.headers["Authorization"] = self._header
        yield request
