"""One consumer of the broker, below the framework: begun, cancelled, looked at and begun anew.

The framework has no public way to its consumer; its two private names are used here alone, and
tests/contract/libraries/test_faststream.py holds every release to what is relied on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

Take = Callable[[AbstractIncomingMessage], Awaitable[None]]
"""Takes a message, and returns at once."""
ANSWER_TIMEOUT_S = 5.0
AWAY = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What using the broker raises while it, or a queue, is away."""


async def cancel(subscriber: Any) -> None:
    """Cancel one consumer now.

    The framework's own stop first waits for running handlers, and hides what arrives meanwhile.
    """
    queue, tag = _consumer_of(subscriber)
    if queue is None or tag is None:
        return
    subscriber._consumer_tag = None  # noqa: SLF001 - as the module says
    with suppress(*AWAY):
        # Where the channel is gone, this keeps the client library from consuming again once it is back. Its
        # own timeout does not count while it waits for a connection.
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await queue.cancel(tag)


async def consume(subscriber: Any, take: Take) -> None:
    """Begin to consume; nothing where it does already. Raises where the broker is away.

    Messages go to `take` past the framework's own handling of them, which takes as long as all of the door,
    and keeps 5 KiB for each message while it is handled.
    """
    queue, tag = _consumer_of(subscriber)
    if queue is not None and tag is None:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            tag = await queue.consume(take)
        subscriber._consumer_tag = tag  # noqa: SLF001 - as the module says


def consumes(subscriber: Any) -> bool:
    """Whether there is a consumer, as far as the framework knows."""
    queue, tag = _consumer_of(subscriber)
    return queue is not None and tag is not None and not queue.channel.is_closed


async def is_known_below(subscriber: Any) -> bool:
    """Whether the channel itself knows the consumer; raises where there is no channel within some seconds."""
    queue, tag = _consumer_of(subscriber)
    if queue is None or tag is None:
        return False
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        channel = await queue.channel.get_underlay_channel()
    return tag in channel.consumers


def _consumer_of(subscriber: Any) -> tuple[Any, str | None]:
    return subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001 - as the module says
