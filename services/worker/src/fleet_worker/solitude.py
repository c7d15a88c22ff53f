"""Keeps a second worker away where no store is shared: two separate limiters would exceed one limit."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aio_pika
from aiormq.exceptions import ChannelLockedResource

from fleet_chassis.service import CannotStartError
from fleet_contracts.topology import WORKER_LOCK


@asynccontextmanager
async def be_the_only_worker(amqp_url: str) -> AsyncGenerator[None]:
    """Hold the broker's one place for a worker without a shared store.

    An exclusive queue is a lock that ends with its connection, so a killed worker leaves nothing behind.

    Raises:
        CannotStartError: another worker holds it.
    """
    connection = await aio_pika.connect_robust(amqp_url)
    async with connection:
        channel = await connection.channel()
        try:
            await channel.declare_queue(WORKER_LOCK, exclusive=True, durable=False)
        except ChannelLockedResource as error:
            raise CannotStartError(
                "Another worker already serves this broker and the two share no store, so neither would know "
                "of the other's calls; stop the other one, or set FLEET_SHARE_NOTHING=true and divide "
                "FLEET_LIMIT_CONCURRENCY between them."
            ) from error
        yield
