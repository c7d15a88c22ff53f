"""The one place below aiohttp: hands over a body's bytes as the socket brings them, and wakes no task for it.

aiohttp keeps what it is good at: connections, TLS, requests, heads, and where a chunk of a body begins and
ends. What it can't do at the speed of a stream of tokens is hand over a piece, which costs it a buffer, a
future, and a turn through every coroutine that waits for the call.

It relies on this, which tests/integration/worker/test_pushing.py holds every release to: the body of an
answer is a `StreamReader` whose class may be another one with the same slots; its parser calls `feed_data`
for each piece and `feed_eof` or `set_exception` at the end; and these two end the future in `_waiter`.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

import aiohttp

Take = Callable[[bytes], bool]
"""Takes a piece; whether the answer is whole with it. Never waits."""


async def push(body: aiohttp.StreamReader, take: Take) -> bool:
    """Hand each piece of `body` to `take` until it has the whole answer; False where the body ends before.

    `take` runs in the context of whoever called this, but in no task. What it raises is raised here. What
    follows the answer can be read from `body`.

    Raises:
        aiohttp.ClientError, OSError: the body broke off.
    """
    while piece := body.read_nowait():
        if take(piece):
            return True
    if body.is_eof():
        return False
    if type(body) is not _PushingReader:
        body.__class__ = _PushingReader
    reader: Any = body  # the library's types know nothing of what is done here
    return await reader.push(take)


class _Whole(asyncio.Future[Any]):
    """Done when the answer is whole; the library ends it with None where the body ends before."""

    __slots__ = ("context", "take")

    def __init__(self, take: Take, context: Context) -> None:
        super().__init__()
        self.take = take
        self.context = context


class _PushingReader(aiohttp.StreamReader):
    """Keeps what comes while nobody wants it pushed, as its base class does."""

    __slots__ = ()

    async def push(self, take: Take) -> bool:
        """As the module's own, of what comes from now on."""
        self._http_chunk_splits = None  # where chunks ended: 760 bytes that nobody reads
        self._waiter = whole = _Whole(take, copy_context())
        try:
            return bool(await whole)
        finally:
            self._waiter = None
            if whole.done() and not whole.cancelled():
                # Looked at, for whoever is cancelled just now does not, and the loop would complain.
                whole.exception()

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        """Hand over a piece, or keep it."""
        waiter = self._waiter
        if type(waiter) is not _Whole or waiter.done():
            return super().feed_data(data, size)
        try:
            if waiter.context.run(waiter.take, data):
                waiter.set_result(True)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it; the library's parser must not
            waiter.set_exception(error)
        return False

    def begin_http_chunk_receiving(self) -> None:
        """Where chunks begin and end is of no interest."""

    def end_http_chunk_receiving(self) -> None:
        """As `begin_http_chunk_receiving`."""
