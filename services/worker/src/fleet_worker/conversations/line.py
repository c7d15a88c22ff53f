"""Who waits in this worker for a conversation to come free; those that find no room come back later."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

MOST_OF_ONE = 4
"""Of one conversation, so that its turns do not take the places of all the others."""


class Line:
    """Wakes those who wait; keeps nothing of conversations that nobody waits for.

    Args:
        most: how many may wait at once, each of which holds a delivery.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def expecting(self, name: str) -> Generator[asyncio.Event | None]:
        """An event that is set whenever the conversation may have come free; None where there is no room."""
        if self.waiting(name) >= MOST_OF_ONE or sum(map(len, self._waiting.values())) >= self._most:
            yield None
            return
        freed = asyncio.Event()
        self._waiting.setdefault(name, set()).add(freed)
        try:
            yield freed
        finally:
            self._waiting[name].discard(freed)
            if not self._waiting[name]:
                del self._waiting[name]

    def waiting(self, name: str) -> int:
        """How many wait for a conversation."""
        return len(self._waiting.get(name, ()))

    def hear(self, message: bytes) -> None:
        """Take a message from this worker's channel."""
        what, _, name = message.decode().partition(" ")
        if what == "turn":
            for freed in self._waiting.get(name, ()):
                freed.set()
