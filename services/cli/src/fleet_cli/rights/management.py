"""RabbitMQ's management API, as far as users and rights go: the one place where it is spoken."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from fleet_cli.amqp_url import place_of
from fleet_cli.wrong_input import WrongInputError

VARIABLE = "MANAGEMENT_URL"
EXAMPLE = "https://admin:password@host:15671"
PORTS = {False: ("http", 15672), True: ("https", 15671)}
ANSWER_DEADLINE_S = 15.0
UNAUTHORIZED = (401, 403)
NOT_FOUND = 404

Json = dict[str, Any]


class ManagementError(Exception):
    """The management API can't be used; the message is one sentence that says what to do."""


class Management:
    """One broker's management API."""

    def __init__(self, session: aiohttp.ClientSession, place: str) -> None:
        self._session = session
        self._place = place

    async def get(self, *path: str) -> Any:
        """What is there; None where nothing is."""
        return await self._asked("GET", path, None)

    async def put(self, document: Json, *path: str) -> None:
        """Make it what `document` says."""
        await self._asked("PUT", path, document)

    async def _asked(self, method: str, path: tuple[str, ...], document: Json | None) -> Any:
        where = "/".join(quote(part, safe="") for part in ("api", *path))
        try:
            async with self._session.request(method, where, json=document, allow_redirects=False) as answer:
                if method == "GET" and answer.status == NOT_FOUND:
                    return None
                self._check(answer.status, path)
                return await answer.json() if method == "GET" else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise ManagementError(
                f"no management API answers at {self._place} ({type(error).__name__}): enable it with "
                f"`rabbitmq-plugins enable rabbitmq_management`, or set {VARIABLE}, as in {EXAMPLE}"
            ) from error

    def _check(self, status: int, path: tuple[str, ...]) -> None:
        if status in UNAUTHORIZED:
            raise ManagementError(
                f"the management API at {self._place} refused this user: name one with the tag "
                f"administrator in {VARIABLE}, or in AMQP_URL"
            )
        if not 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls a success
            raise ManagementError(
                f"the management API at {self._place} answered {status} for {path[0]}: look into the "
                "broker's log"
            )


@asynccontextmanager
async def management(environ: Mapping[str, str], amqp_url: str) -> AsyncGenerator[Management]:
    """The management API of the variable MANAGEMENT_URL, else of the broker at `amqp_url` on its usual port.

    Raises:
        WrongInputError: the variable is no URL with a user in it.
        ManagementError: while it is used, where it does not answer or refuses.
    """
    base, user, password = address_of(environ, amqp_url)
    timeout = aiohttp.ClientTimeout(total=ANSWER_DEADLINE_S)
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password, encoding="utf-8")}
    async with aiohttp.ClientSession(f"{base}/", headers=headers, timeout=timeout) as session:
        yield Management(session, base)


def address_of(environ: Mapping[str, str], amqp_url: str) -> tuple[str, str, str]:
    """The API's base URL without credentials, the user and the password.

    Raises:
        WrongInputError: the variable is no URL with a user in it.
    """
    given = environ.get(VARIABLE)
    if not given:
        place, where = place_of(amqp_url), urlsplit(amqp_url)
        scheme, port = PORTS[place.tls]
        host = f"[{place.host}]" if ":" in place.host else place.host
        return f"{scheme}://{host}:{port}", place.user, unquoted(where.password) or place.user
    try:
        where = urlsplit(given)
        usable = where.scheme in {"http", "https"} and where.hostname and where.username and where.port != 0
    except ValueError:
        usable, where = False, urlsplit("")
    if not usable:
        raise WrongInputError(f"{VARIABLE} is wrong: set it as in {VARIABLE}={EXAMPLE}")
    base = where._replace(netloc=where.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return base.rstrip("/"), unquoted(where.username), unquoted(where.password)


def unquoted(part: str | None) -> str:
    """A part of a URL as it was meant; empty where it is left out."""
    return unquote(part or "")
