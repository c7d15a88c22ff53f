"""Everything that aio-pika raises, as one error."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPError


class Trouble(Exception):  # noqa: N818 -- never leaves this package
    """The broker or the way to it failed; trying again on a new connection may help."""


@contextmanager
def as_trouble() -> Generator[None]:
    """Raise whatever aio-pika raises as `Trouble`, with its cause."""
    try:
        yield
    except asyncio.CancelledError as error:
        # A closing channel ends what waits on it by CancelledError, though nobody cancelled this task.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Trouble("The channel was closed.") from error
    except (AMQPError, TimeoutError, *CONNECTION_EXCEPTIONS) as error:
        raise Trouble(type(error).__name__) from error
