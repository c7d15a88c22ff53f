"""Requests that one more death would end as a crash loop: they work one at a time in each worker.

One of them takes workers down, and the others only worked beside it, perhaps each time: what a dying worker
had in hand comes to the next one together. Alone, an innocent one has its answer.
"""

import asyncio

from fleet_worker.hold import Hold
from fleet_worker.ledger.times import MOST_VANISHED
from fleet_worker.postponed import PostponedError, Reason


class Suspects:
    """Lets one suspect after the other work.

    Args:
        wait_s: how long one waits for its turn, in seconds; beyond, it is parked.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._turn = asyncio.Lock()
        self._at_work: Hold | None = None

    async def turn(self, hold: Hold) -> None:
        """Return once no other suspect works here; at once where this is none.

        Raises:
            PostponedError: busy; others work on.
        """
        if hold.vanished != MOST_VANISHED - 1:
            return
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turn.acquire()
        except TimeoutError as error:
            raise PostponedError(Reason.BUSY, self._wait_s) from error
        self._at_work = hold

    def left(self, hold: Hold) -> None:
        """This one is out of hand: the next one may work."""
        if self._at_work is hold:
            self._at_work = None
            self._turn.release()
