"""Which TCP connection a call came over."""

from itertools import count
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import asyncio

_PRUNE_ABOVE = 1024


class Connections:
    """Gives each TCP connection a number, so that a test can see which calls shared one."""

    def __init__(self) -> None:
        self._numbers: dict[asyncio.Transport, int] = {}
        self._next = count(1)
        self._prune_above = _PRUNE_ABOVE

    def number(self, request: web.Request) -> int | None:
        """The number of the connection that a request came over; None when it is gone already."""
        transport = request.transport
        if transport is None:
            return None
        if transport not in self._numbers:
            self._forget_closed()
            self._numbers[transport] = next(self._next)
        return self._numbers[transport]

    def _forget_closed(self) -> None:
        # Transports cannot be held weakly; the bound doubles with what is open, so this stays cheap.
        if len(self._numbers) < self._prune_above:
            return
        self._numbers = {t: number for t, number in self._numbers.items() if not t.is_closing()}
        self._prune_above = max(_PRUNE_ABOVE, 2 * len(self._numbers))
