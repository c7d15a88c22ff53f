"""Exchanges an account's key for session tokens, for gateways that want it: one exchange for all who wait.

DeepSeek itself takes the key with each call and knows no sessions.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import orjson

from fleet_chassis.clock import Clock
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError, UpstreamAnswer
from fleet_worker.deepseek.errors import interrupted, packed, refused, silent, unreachable
from fleet_worker.deepseek.keys import Keys
from fleet_worker.deepseek.refusals import answer_of
from fleet_worker.deepseek.shapes import ShapeError, as_object, parsed
from fleet_worker.deepseek.transport import PLAIN, HttpClient, RequestError, body_of, is_packed

_OK = frozenset({200, 201})
_UNAUTHORIZED = 401
_PASSING = frozenset({402, 408, 429})
_MAX_BYTES = 64 * 1024
_REMEMBERED = 8
_LONGEST_S = 30 * 24 * 3600.0
_DEADLINE_S = 10.0
_AGAIN_S = 1.0
"""How soon a refresh is tried again that failed while the token before it still holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """How a gateway exchanges keys.

    Attributes:
        url: Where the key is POSTed to.
        key_field: The key's name in the JSON that is POSTed; empty where the key goes into the Authorization
            header.
        token_field: The token's name in the answer.
        expires_field: The name, in the answer, of the seconds that the token lives.
        lifetime_s: Those seconds, where the answer does not say.
        refresh_s: How many seconds before its end a token is exchanged for the next; at most half its life.
    """

    url: str
    key_field: str = ""
    token_field: str = "access_token"  # noqa: S105  # a name, no secret
    expires_field: str = "expires_in"
    lifetime_s: float = 3600.0
    refresh_s: float = 60.0


@dataclass(frozen=True, slots=True, repr=False)
class _Token:
    text: str
    refresh_at: float
    """Monotonic seconds, as the next one."""
    ends_at: float


class Tokens:
    """The session token of one account.

    Whoever finds it about to end begins the next exchange, and all others wait for the same one, or use the
    token that they have while it holds.

    Args:
        http: Sends the exchanges.
        exchange: How.
        keys: Gives the account's key.
        clock: The time.
    """

    def __init__(self, http: HttpClient, exchange: Exchange, keys: Keys, clock: Clock) -> None:
        self._http = http
        self._exchange = exchange
        self._keys = keys
        self._clock = clock
        self._token: _Token | None = None
        self._known: deque[str] = deque(maxlen=_REMEMBERED)
        self._running: asyncio.Task[_Token] | None = None
        self._not_before = 0.0

    def __repr__(self) -> str:
        return f"Tokens({self._exchange.url!r})"

    async def current(self) -> str:
        """A token that holds now.

        Raises:
            CompletionError: the key could not be exchanged.
        """
        token, now = self._token, self._clock.monotonic()
        if token is not None and now < token.ends_at:
            if now >= token.refresh_at and now >= self._not_before:
                self._begun()
            return token.text
        try:
            # Shielded: who leaves must not end the exchange that the others wait for.
            return (await asyncio.shield(self._begun())).text
        except CompletionError as error:
            # One for each who waited, for each call adds to its error what it knows.
            raise replace(error) from error

    def refused(self, token: str) -> None:
        """The upstream takes `token` no more."""
        if self._token is not None and self._token.text == token:
            self._token = None

    def hide(self, body: bytes) -> bytes:
        """`body` without the key and without the tokens known lately."""
        for token in self._known:
            body = body.replace(token.encode(), b"***")
        return self._keys.hide(body)

    async def aclose(self) -> None:
        """End the exchange that runs."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def _begun(self) -> "asyncio.Task[_Token]":
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._renew())
            self._running.add_done_callback(self._ended)
        return self._running

    def _ended(self, task: "asyncio.Task[_Token]") -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed:
            self._not_before = self._clock.monotonic() + _AGAIN_S

    async def _renew(self) -> _Token:
        key = self._keys.current()
        status, body = await self._asked(key)
        if status == _UNAUTHORIZED and (newer := self._keys.newer_than(key)):
            status, body = await self._asked(newer)
        if status not in _OK:
            raise _refusal(status, answer_of(status, self.hide(body), None))
        self._token = token = self._read(body)
        return token

    async def _asked(self, key: str) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                return await self._post(key)
        except TimeoutError as error:
            raise silent("key exchange", _DEADLINE_S) from error
        except RequestError as error:
            raise unreachable() from error

    async def _post(self, key: str) -> tuple[int, bytes]:
        exchange = self._exchange
        headers = {"Content-Type": "application/json", "Accept": "application/json", **PLAIN}
        if not exchange.key_field:
            headers["Authorization"] = f"Bearer {key}"
        payload = orjson.dumps({exchange.key_field: key} if exchange.key_field else {})
        async with self._http.stream("POST", exchange.url, content=payload, headers=headers) as response:
            if is_packed(response):
                raise packed()
            try:
                return response.status_code, await body_of(response, _MAX_BYTES)
            except ValueError as error:
                raise interrupted(f"to the key exchange {error}") from error

    def _read(self, body: bytes) -> _Token:
        try:
            fields = as_object(parsed(body))
        except ShapeError:
            # Without its cause, which may quote the token.
            raise _no_token(self._exchange.token_field) from None
        text = fields.get(self._exchange.token_field)
        if not isinstance(text, str) or not text or not text.isascii() or not text.isprintable():
            raise _no_token(self._exchange.token_field)
        self._known.append(text)
        lifetime_s = _seconds(fields.get(self._exchange.expires_field), self._exchange.lifetime_s)
        now = self._clock.monotonic()
        early_s = min(self._exchange.refresh_s, lifetime_s / 2)
        return _Token(text, now + lifetime_s - early_s, now + lifetime_s)


def _seconds(given: Any, otherwise: float) -> float:
    known = isinstance(given, int | float) and not isinstance(given, bool) and given > 0
    return min(float(given) if known else otherwise, _LONGEST_S)


def _refusal(status: int, upstream: UpstreamAnswer) -> CompletionError:
    # What is wrong with an exchange is no request's fault: the account waits for a person.
    passing = status in _PASSING or status >= 500  # noqa: PLR2004  # status classes are what they are
    return refused(status, upstream) if passing else refused(_UNAUTHORIZED, upstream)


def _no_token(field: str) -> CompletionError:
    return CompletionError(
        ErrorCode.UPSTREAM_UNAVAILABLE,
        f"the answer to the key exchange has no {field}: check the upstream's exchange in the accounts file",
        again=True,
    )
