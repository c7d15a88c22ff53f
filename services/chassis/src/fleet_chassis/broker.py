"""How the broker is reached, and how soon a silent connection to it is given up."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import aio_pika

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
