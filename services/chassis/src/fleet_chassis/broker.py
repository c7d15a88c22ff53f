"""How the broker is reached, how soon silence of it is given up, and what is said where there is none."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, AuthenticationError, ProbableAuthenticationError
from aiormq.exceptions import InvalidFrameError

from fleet_chassis.amqp_url import Place, place_of

UNREACHED = (AMQPError, OSError, TimeoutError)
"""What connecting to a broker raises where it fails."""

CLOSE_TIMEOUT_S = 5.0

HEARTBEAT_S = 15
"""Between two signs of life. RabbitMQ gives a connection up after two of them, and itself asks for 60 s, in
which what a cut off worker holds would wait for two minutes (https://www.rabbitmq.com/docs/heartbeats)."""


def with_heartbeat(amqp_url: str) -> str:
    """The same URL with our heartbeat, unless it says one itself."""
    where = urlsplit(amqp_url)
    if "heartbeat" in parse_qs(where.query):
        return amqp_url
    query = f"{where.query}&" if where.query else ""
    return where._replace(query=f"{query}heartbeat={HEARTBEAT_S}").geturl()


async def reach_broker(amqp_url: str, timeout_s: float) -> None:
    """Connect once and leave again.

    A connection that mends itself never gives up, and swallows a cancel while it tries; so whoever starts
    asks with a plain one first.

    Args:
        amqp_url: the broker and vhost.
        timeout_s: seconds to connect.

    Raises:
        AMQPError: the broker refuses.
        OSError: nobody listens there.
        TimeoutError: nobody answered in time.
    """
    async with asyncio.timeout(timeout_s):
        connection = await aio_pika.connect(amqp_url)
        await connection.close()


async def close_connection(connection: AbstractConnection) -> None:
    """Close a connection, however the broker stands. Never raises, and takes some seconds at most.

    The library has no bound of its own: where the broker is gone, it may wait for as long as that is.
    """
    with suppress(*UNREACHED, RuntimeError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()


def why_unreached(amqp_url: str, error: Exception) -> str:
    """Why there is no connection and what to do, in half a sentence; `error` is one of UNREACHED."""
    place, causes = place_of(amqp_url), list(_causes(error))
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return (
            f"no TLS with {place}: use amqps:// where the broker serves TLS, and a certificate that this "
            "machine trusts"
        )
    if isinstance(error, (AuthenticationError, ProbableAuthenticationError)):
        return (
            f"the broker at {place} refused the user {place.user} or its password: "
            "correct them in AMQP_URL (guest is let in from the broker's own machine only)"
        )
    # The broker closes instead of opening the virtual host, where it is not there or not for this user.
    if isinstance(error, InvalidFrameError) and "OpenOk" in str(error):
        return _no_virtual_host(place)
    if isinstance(error, TimeoutError):
        return f"no answer from {place} in time: check host and port in AMQP_URL, and any firewall between"
    if any(isinstance(each, OSError) and not isinstance(each, AMQPError) for each in causes):
        return f"no broker answers at {place}: start it (`make up`), or correct host and port in AMQP_URL"
    return f"what answers at {place} is no AMQP: correct port and amqp:// or amqps:// in AMQP_URL"


def _no_virtual_host(place: Place) -> str:
    return (
        f"the broker at {place.host}:{place.port} has no virtual host {place.vhost} for the user "
        f"{place.user}: correct the end of AMQP_URL, or add it with `rabbitmqctl add_vhost` and "
        "`rabbitmqctl set_permissions`"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
