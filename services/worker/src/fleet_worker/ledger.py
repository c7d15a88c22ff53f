"""The ledger in the memory of one process: who works on a request, and how it ended."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from fleet_chassis.clock import Clock
from fleet_worker.ports import Busy, Claim, Conflict, Final, Granted
from fleet_worker.request import Request, RequestKey
from fleet_worker.terminal import Terminal

KEPT_S = 24 * 60 * 60.0
MAX_KEPT_BYTES = 256 * 1024 * 1024


@dataclass(slots=True)
class _Running:
    digest: str
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class _Ended:
    digest: str
    terminal: Terminal
    at: float


class MemoryLedger:
    """Forgets the oldest ends after a day, or when they hold more than 256 MiB."""

    def __init__(self, clock: Clock, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._clock = clock
        self._max_kept_bytes = max_kept_bytes
        self._kept_bytes = 0
        self._running: dict[RequestKey, _Running] = {}
        self._ended: OrderedDict[RequestKey, _Ended] = OrderedDict()

    async def claim(self, request: Request) -> Claim:
        """Take the request on, or learn why not."""
        self._forget_old()
        digest = _identity(request)
        known = self._ended.get(request.key) or self._running.get(request.key)
        if known is not None and known.digest != digest:
            return Conflict()
        if isinstance(known, _Ended):
            return Final(known.terminal)
        if isinstance(known, _Running):
            return Busy(known.ended)
        self._running[request.key] = _Running(digest)
        # Until a ledger outlives its worker, only the broker remembers that others began before.
        return Granted(attempts=request.deliveries)

    async def commit(self, request: Request, terminal: Terminal) -> Terminal:
        """Store the terminal reply unless there is one; returns the one that counts."""
        ended = self._ended.get(request.key)
        if ended is None:
            ended = self._ended[request.key] = _Ended(_identity(request), terminal, self._clock.monotonic())
            self._kept_bytes += len(terminal.body)
        return ended.terminal

    async def release(self, request: Request) -> None:
        """Let others take the request; wakes those who wait for its end."""
        running = self._running.pop(request.key, None)
        if running is not None:
            running.ended.set()

    def _forget_old(self) -> None:
        too_old = self._clock.monotonic() - KEPT_S
        while self._ended:
            oldest = next(iter(self._ended.values()))
            if oldest.at > too_old and self._kept_bytes <= self._max_kept_bytes:
                return
            self._kept_bytes -= len(oldest.terminal.body)
            self._ended.popitem(last=False)


def _identity(request: Request) -> str:
    return f"{request.type}:{request.digest}"
