"""One connection to the broker, or one sentence that says why there is none."""

import asyncio

import aio_pika
from aio_pika.abc import AbstractConnection

from fleet_chassis.broker import UNREACHED, why_unreached
from fleet_cli.amqp_url import place_of

CONNECT_DEADLINE_S = 8.0
BROKEN = UNREACHED
"""What using a connection raises when it, or the broker behind it, is gone."""


class BrokerError(Exception):
    """The broker can't be used; the message is one sentence that says what to do."""


async def connected(url: str, name: str, deadline_s: float = CONNECT_DEADLINE_S) -> AbstractConnection:
    """A connection that RabbitMQ's management page shows as `name`. It is not made anew when it breaks.

    Raises:
        WrongInputError: the URL is no AMQP URL.
        BrokerError: there is no connection within `deadline_s` seconds, or the broker lets this user not in.
    """
    place_of(url)
    try:
        async with asyncio.timeout(deadline_s):
            return await aio_pika.connect(url, client_properties={"connection_name": name})
    except BROKEN as error:
        raise BrokerError(why_unreached(url, error)) from error
