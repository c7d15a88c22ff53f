"""One run of a batch: asks its lines, a window at a time, and hands on how each ended."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from math import inf

from fleet_client.collecting import BatchWish, Collector
from fleet_client.errors import FleetError, Internal
from fleet_client.flight import Flight
from fleet_client.line import BatchOutcome, Ready, Refused
from fleet_client.request import Request
from fleet_client.tasks import Tasks
from fleet_client.wire import Posting, Wire

ASK_AGAIN_S = 3600.0
"""After so long without a reply a line is published again. The fleet does nothing twice, and repeats what it
has said where that was lost."""


class Batch:
    """A batch under way.

    Args:
        wire: carries the lines there.
        wish: which batch.
        word: gives a new random word each time.
    """

    def __init__(self, wire: Wire, wish: BatchWish, word: Callable[[], str]) -> None:
        self.collector: Collector = wire.collect(wish, self._ask_all_again)
        self._wire = wire
        self._wish = wish
        self._word = word
        self._tasks = Tasks()
        self._flight = Flight(wish.window, wish.tenant, self.collector.arrivals)

    async def outcomes(
        self, lines: AsyncIterator[Ready | Refused], timeout_s: float
    ) -> AsyncGenerator[BatchOutcome]:
        """Yield how each line ends, as it ends; an outcome is acknowledged when the next one is asked for.

        Once all have ended, the reply queue is removed. Whoever breaks off leaves it where it is.

        Raises:
            FleetError: the queue could not be opened within `timeout_s` seconds, or there is no place for
                requests.
        """
        try:
            await self.collector.open(timeout_s)
            self._tasks.start(self._feed(lines), self._fail)
            while landed := await self._flight.next():
                yield landed.outcome
                await self._flight.finish(landed)
            await self.collector.remove()
        finally:
            await self._tasks.stop()
            await self.collector.close()

    async def _feed(self, lines: AsyncIterator[Ready | Refused]) -> None:
        await self._flight.room()
        async for line in lines:
            if isinstance(line, Refused):
                self._flight.refuse(line)
            else:
                self._flight.add(line, self._ask)
            await self._flight.room()
        self._flight.all_added()

    def _ask(self, request: Request) -> Callable[[], object]:
        return self._tasks.start(self._keep_asking(request), self._fail).cancel

    async def _keep_asking(self, request: Request) -> None:
        while True:
            await self._publish(request)
            await asyncio.sleep(ASK_AGAIN_S)

    def _ask_all_again(self) -> None:
        # Replies that lay in the deleted queue are lost; the fleet repeats them to who asks again.
        for request in self._flight.requests:
            self._tasks.start(self._publish(request), self._fail)

    async def _publish(self, request: Request) -> None:
        # However late: a batch waits for a broker that is away, and for a queue that is full.
        await self._wire.publish(Posting(request, inf, self._word, reply_to=self._wish.queue.name))

    def _fail(self, error: BaseException) -> None:
        known = error if isinstance(error, FleetError) else _unexpected(error)
        self.collector.arrivals.end(known)


def _unexpected(error: BaseException) -> FleetError:
    unexpected = Internal(
        f"The batch's lines could not be read or sent ({type(error).__name__}: see the cause). It goes on "
        "where it was when you run it again under its name."
    )
    unexpected.__cause__ = error
    return unexpected
