"""Who is waiting here for a request to come free, so that a message can wake them."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Notices:
    """Wakes those who wait for a key; keeps nothing of keys that nobody waits for."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def expecting(self, key: str) -> Generator[asyncio.Event]:
        """An event that is set whenever `key` may have come free; clear it before asking."""
        freed = asyncio.Event()
        waiting = self._waiting.setdefault(key, set())
        waiting.add(freed)
        try:
            yield freed
        finally:
            waiting.discard(freed)
            if not waiting:
                self._waiting.pop(key, None)

    def free(self, key: str) -> None:
        """Wake all who wait for `key`."""
        for freed in self._waiting.get(key, ()):
            freed.set()


async def passes(event: asyncio.Event, within_s: float) -> bool:
    """Whether `event` is set within so many seconds."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
