"""Parks requests: a confirmed copy on a rung, after which the delivery may be acknowledged."""

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_contracts.codes import ErrorCode
from fleet_contracts.topology import RETRY_RUNGS_S
from fleet_worker.completion import CompletionError
from fleet_worker.observing import Observer
from fleet_worker.parking.copying import copy_of
from fleet_worker.parking.rungs import is_due, rung_for
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Request


class DeliversSurely(Protocol):
    """Publishes what must not be lost."""

    async def deliver_surely(self, message: Outgoing) -> None:
        """Have it confirmed, or raise UndeliveredError after half a minute of trying."""
        ...


class ParkingLot:
    """Where requests wait that can't go on now. They come back over `deepseek.requests.resumed`.

    Args:
        deliverer: publishes the copies.
        clock: the time.
        observer: counts what is parked.
        rungs: the seconds that each rung of the broker holds a request.
    """

    def __init__(
        self,
        deliverer: DeliversSurely,
        clock: Clock,
        observer: Observer,
        rungs: Sequence[int] = RETRY_RUNGS_S,
    ) -> None:
        self._deliverer = deliverer
        self._clock = clock
        self._observer = observer
        self._rungs = rungs

    def check_due(self, request: Request) -> None:
        """Let a request pass whose wait is over, or whose deadline is.

        Raises:
            PostponedError: its rung was shorter than its wait, so it waits on.
        """
        until_ms, now_ms = request.parked_until_ms, self._clock.now_ms()
        if until_ms is not None and not is_due(until_ms, now_ms) and self._left_s(request) > 0:
            raise PostponedError(Reason.NOT_YET, (until_ms - now_ms) / 1000)

    @contextmanager
    def in_time(self, request: Request) -> Generator[None]:
        """Work that may be put aside; where it would come back too late, the request fails instead, now.

        Raises:
            PostponedError: the request has the time.
            CompletionError: it has not; this is how it fails.
        """
        try:
            yield
        except PostponedError as postponed:
            if max(postponed.wait_s, min(self._rungs)) < self._left_s(request):
                raise
            raise (postponed.otherwise or _too_late()) from postponed

    async def park(self, request: Request, postponed: PostponedError) -> None:
        """Put a request aside; when this returns, its delivery may be acknowledged.

        Args:
            request: the request, whose claim has been given back.
            postponed: why, and for how long.

        Raises:
            UndeliveredError: no rung took the copy within half a minute; an ack would lose the request.
        """
        now_ms = self._clock.now_ms()
        until_ms = now_ms + math.ceil(postponed.wait_s * 1000)
        rung_s = rung_for(postponed.wait_s, self._left_s(request), self._rungs)
        await self._deliverer.deliver_surely(copy_of(request, postponed, until_ms, rung_s, now_ms))
        self._observer.parked(postponed.reason, rung_s)

    def _left_s(self, request: Request) -> float:
        if request.deadline_ms is None:
            return math.inf
        return (request.deadline_ms - self._clock.now_ms()) / 1000


def _too_late() -> CompletionError:
    message = "the request has to wait for longer than its deadline allows: ask again with more time"
    return CompletionError(ErrorCode.DEADLINE_EXCEEDED, message, again=False)
