"""Hears what is published on channels of the store, and goes on hearing after a lost connection."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from fleet_chassis.tasks import stop

Hear = Callable[[bytes], None]
"""Takes a message's body at once; whatever takes time is its own task's work."""

QUIET_S = 1.0
PAUSE_S = 0.2


class Subscription(Protocol):
    """The part of redis-py's PubSub that is used here."""

    async def subscribe(self, *channels: str) -> None:
        """Ask for a channel's messages."""
        ...

    async def get_message(self, *, timeout: float) -> dict[str, Any] | None:  # noqa: ASYNC109 - as redis-py names it
        """The next message, or None after `timeout` seconds."""
        ...

    async def aclose(self) -> None:
        """Give the connection back."""
        ...


class Listener:
    """One connection for all channels, read by one task."""

    def __init__(self, subscription: Subscription, passing: tuple[type[Exception], ...]) -> None:
        """`passing`: the errors of a connection that is lost and will be made anew."""
        self._subscription = subscription
        self._passing = passing
        self._heard: dict[bytes, Hear] = {}
        self._stands: dict[bytes, asyncio.Event] = {}
        self._reader: asyncio.Task[None] | None = None

    async def listen(self, channel: str, hear: Hear) -> None:
        """Hand each message on `channel` to `hear`; returns when the store has confirmed the subscription."""
        name = channel.encode()
        self._heard[name] = hear
        stands = self._stands[name] = asyncio.Event()
        await self._subscription.subscribe(channel)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        await stands.wait()

    async def aclose(self) -> None:
        """Stop hearing."""
        if self._reader is not None:
            await stop(self._reader)
        await self._subscription.aclose()

    async def _read(self) -> None:
        while True:
            try:
                message = await self._subscription.get_message(timeout=QUIET_S)
            except self._passing:
                # The next read connects and subscribes again.
                await asyncio.sleep(PAUSE_S)
            else:
                self._take(message)

    def _take(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        if message["type"] == "subscribe":
            self._stands[message["channel"]].set()
        elif message["type"] == "message":
            self._heard[message["channel"]](message["data"])
