"""Asks DeepSeek what costs nothing: which models it serves, and what is left on the account.

Both answers come as usual while completions stall, so that neither is a proof of health.
Sources: https://api-docs.deepseek.com/api/list-models, https://api-docs.deepseek.com/api/get-user-balance
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from fleet_chassis.clock import Clock
from fleet_worker.deepseek.auth import Auth, auth_of
from fleet_worker.deepseek.endpoints import Endpoints
from fleet_worker.deepseek.errors import interrupted, packed, refused, silent, unreachable
from fleet_worker.deepseek.refusals import answer_of
from fleet_worker.deepseek.shapes import Json, ShapeError, as_list, as_object, parsed
from fleet_worker.deepseek.transport import PLAIN, HttpClient, RequestError, body_of, is_packed, open_http

_OK = 200
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Models:
    """What `GET /models` says.

    Attributes:
        names: The models served.
        elapsed_ms: How long the answer took, in milliseconds.
        ahead_s: How far this machine's clock is ahead of the upstream's, in seconds, good to about one; None
            where the answer has no date.
    """

    names: tuple[str, ...]
    elapsed_ms: int
    ahead_s: float | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What `GET /user/balance` says.

    Attributes:
        available: Whether the account may make calls.
        amounts: What is left, as in `110.00 CNY`.
    """

    available: bool
    amounts: tuple[str, ...]


class Probe:
    """Asks an upstream for its models and the balance; never for a completion.

    Args:
        http: Sends the calls.
        auth: How calls are authorised.
        endpoints: Where calls go.
        clock: The time.
        deadline_s: How long one answer may take, in seconds.
    """

    def __init__(
        self, http: HttpClient, auth: Auth, endpoints: Endpoints, clock: Clock, deadline_s: float
    ) -> None:
        self._http = http
        self._auth = auth
        self._endpoints = endpoints
        self._clock = clock
        self._deadline_s = deadline_s

    async def models(self) -> Models:
        """The models that the upstream serves.

        Raises:
            CompletionError: it can't be reached, refuses the key, or answers something else.
        """
        began_ms, began = self._clock.now_ms(), self._clock.monotonic()
        document, date = await self._get(self._endpoints.models)
        elapsed_ms = round((self._clock.monotonic() - began) * 1000)
        try:
            names = tuple(str(as_object(item).get("id")) for item in as_list(document.get("data")))
        except ShapeError as error:
            raise interrupted(str(error)) from error
        return Models(names, elapsed_ms, _ahead_s(began_ms + elapsed_ms // 2, date))

    async def balance(self) -> Balance:
        """What is left on the account.

        Raises:
            CompletionError: as `models`; a server that only speaks DeepSeek's API may know no balance (404).
        """
        document, _ = await self._get(self._endpoints.balance)
        try:
            infos = [as_object(info) for info in as_list(document.get("balance_infos"))]
        except ShapeError as error:
            raise interrupted(str(error)) from error
        amounts = tuple(f"{info.get('total_balance')} {info.get('currency')}" for info in infos)
        return Balance(document.get("is_available") is True, amounts)

    async def _get(self, url: str) -> tuple[Json, str | None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._ask(url)
        except TimeoutError as error:
            raise silent("whole answer", self._deadline_s) from error
        except RequestError as error:
            raise unreachable() from error

    async def _ask(self, url: str) -> tuple[Json, str | None]:
        async with self._http.stream("GET", url, auth=self._auth, headers=PLAIN) as response:
            if is_packed(response):
                raise packed()
            try:
                body = await body_of(response, _MAX_BYTES)
            except ValueError as error:
                raise interrupted(str(error)) from error
            if response.status_code != _OK:
                upstream = answer_of(response.status_code, self._auth.hide(body), None)
                raise refused(response.status_code, upstream)
            return _object(body), response.headers.get("date")


@asynccontextmanager
async def probing(
    endpoints: Endpoints, key: Auth | str, clock: Clock, deadline_s: float, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Probe]:
    """A probe with connections of its own, closed at the end.

    Raises:
        ValueError: the key can't be a header's value.
    """
    async with open_http(deadline_s, tls) as http:
        yield Probe(http, auth_of(key), endpoints, clock, deadline_s)


def _object(body: bytes) -> Json:
    try:
        return as_object(parsed(body))
    except ShapeError as error:
        raise interrupted(str(error)) from error


def _ahead_s(now_ms: int, date: Any) -> float | None:
    try:
        moment = parsedate_to_datetime(str(date or ""))
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # A date is cut to whole seconds, so the true time is half a second later on average.
    return now_ms / 1000 - (aware.timestamp() + 0.5)
