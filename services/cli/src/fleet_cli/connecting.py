"""One connection to the broker, or one sentence that says why there is none."""

import asyncio
import ssl
from collections.abc import Iterator

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, AuthenticationError, ProbableAuthenticationError
from aiormq.exceptions import InvalidFrameError

from fleet_cli.amqp_url import Place, place_of

CONNECT_DEADLINE_S = 8.0
BROKEN = (AMQPError, OSError, TimeoutError)
"""What using a connection raises when it, or the broker behind it, is gone."""


class BrokerError(Exception):
    """The broker can't be used; the message is one sentence that says what to do."""


async def connected(url: str, name: str, deadline_s: float = CONNECT_DEADLINE_S) -> AbstractConnection:
    """A connection that RabbitMQ's management page shows as `name`. It is not made anew when it breaks.

    Raises:
        WrongInputError: the URL is no AMQP URL.
        BrokerError: there is no connection within `deadline_s` seconds, or the broker lets this user not in.
    """
    place = place_of(url)
    try:
        async with asyncio.timeout(deadline_s):
            return await aio_pika.connect(url, client_properties={"connection_name": name})
    except BROKEN as error:
        raise BrokerError(_sentence(place, error)) from error


def _sentence(place: Place, error: Exception) -> str:
    causes = list(_causes(error))
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return (
            f"no TLS with {place}: use amqps:// where the broker serves TLS, and a certificate that this "
            "machine trusts"
        )
    match error:
        case AuthenticationError() | ProbableAuthenticationError():
            return (
                f"the broker at {place} refused the user {place.user} or its password: "
                "correct them in AMQP_URL (guest is let in from the broker's own machine only)"
            )
        # The broker closes instead of opening the virtual host, where it is not there or not for this user.
        case InvalidFrameError() if "OpenOk" in str(error):
            return (
                f"the broker at {place.host}:{place.port} has no virtual host {place.vhost} for the user "
                f"{place.user}: correct the end of AMQP_URL, or add it with `rabbitmqctl add_vhost` and "
                "`rabbitmqctl set_permissions`"
            )
        case TimeoutError():
            return (
                f"no answer from {place} in time: check host and port in AMQP_URL, and any firewall between"
            )
        case _ if any(isinstance(each, OSError) and not isinstance(each, AMQPError) for each in causes):
            return f"no broker answers at {place}: start it (`make up`), or correct host and port in AMQP_URL"
        case _:
            return f"what answers at {place} is no AMQP: correct port and amqp:// or amqps:// in AMQP_URL"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
