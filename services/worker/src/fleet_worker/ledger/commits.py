"""Ends of requests on their way into the ledger; they wait in memory, bounded, while the store is away."""

import asyncio

from fleet_chassis.clock import Clock
from fleet_chassis.store import StoreUnavailableError
from fleet_worker.hold import Hold, LostError
from fleet_worker.ledger.answers import Committed
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.record import Head
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.renewing import Renewing
from fleet_worker.ledger.trust import Trust

MAX_WAITING_BYTES = 256 * 1024 * 1024
PAUSE_S = 1.0
"""Between two tries at a store that answers, and can't write."""


class Commits:
    """Commits now, or when the store is back; nothing is published before."""

    def __init__(
        self,
        records: Records,
        renewing: Renewing,
        trust: Trust,
        clock: Clock,
        observer: LedgerObserver,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._records = records
        self._renewing = renewing
        self._trust = trust
        self._clock = clock
        self._observer = observer
        self._room = max_waiting_bytes

    async def commit(self, hold: Hold, head: Head, body: bytes, until: float) -> Committed:
        """Commit by `until`, in monotonic seconds.

        Raises:
            LostError: the store stayed away, or too much waits for it already.
        """
        try:
            return await self._try(hold, head, body)
        except StoreUnavailableError as error:
            if len(body) > self._room:
                self._observer.dropped("no_room")
                raise LostError("too many terminal replies wait for the store") from error
        self._room -= len(body)
        try:
            with self._observer.commits_waiting.track_inprogress():
                return await self._commit_when_back(hold, head, body, until)
        finally:
            self._room += len(body)

    async def _commit_when_back(self, hold: Hold, head: Head, body: bytes, until: float) -> Committed:
        try:
            async with asyncio.timeout(until - self._clock.monotonic()):
                while True:
                    await self._trust.back()
                    try:
                        return await self._try(hold, head, body)
                    except StoreUnavailableError:
                        await self._clock.sleep(PAUSE_S)
        except asyncio.CancelledError:
            self._observer.dropped("drained")
            raise
        except TimeoutError as error:
            self._observer.dropped("store_away")
            raise LostError("the store stayed away") from error

    async def _try(self, hold: Hold, head: Head, body: bytes) -> Committed:
        return await self._records.commit(hold.key, self._renewing.holder(hold), head, body)
