"""What this worker is asking the ledger: one question about a request at a time."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from fleet_worker.request import RequestKey, key_text


class Questions:
    """The questions on their way; while one is, nobody knows whether its request is in hand."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Event] = {}

    def __contains__(self, key: RequestKey) -> bool:
        """Whether one about `key` is on its way."""
        return key_text(key) in self._open

    async def answered(self, key: RequestKey) -> None:
        """Wait for the answer of the one that is on its way; the asker's deadline is its bound."""
        if (answer := self._open.get(key_text(key))) is not None:
            await answer.wait()

    @contextmanager
    def about(self, key: RequestKey) -> Generator[None]:
        """Ask inside of it; only where none about `key` is on its way."""
        text = key_text(key)
        answer = self._open[text] = asyncio.Event()
        try:
            yield
        finally:
            del self._open[text]
            answer.set()
