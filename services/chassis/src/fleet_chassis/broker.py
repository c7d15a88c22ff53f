"""Whether the broker can be spoken to at all."""

import asyncio

import aio_pika


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
