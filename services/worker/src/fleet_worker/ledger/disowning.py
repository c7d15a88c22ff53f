"""Gives back what the ledger says this worker has in hand, and it has not.

The store may carry out a claim after its asker gave up: one that stood still does so with all it was sent.
Nobody works at such a request, and its owner lives: whoever waits for it asks the owner, and the owner looks.
"""

from dataclasses import dataclass

from fleet_chassis.store import StoreUnavailableError
from fleet_worker.ledger.answers import Standing
from fleet_worker.ledger.holds import Holds
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.questions import Questions
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.rules import owner_of
from fleet_worker.request import RequestKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Disowning:
    """Answers those who wait for a request that is in hand nowhere."""

    records: Records
    holds: Holds
    observer: LedgerObserver
    owner: str
    questions: Questions

    async def run(self) -> None:
        """Look at whatever others want, until cancelled."""
        while True:
            key = await self.holds.next_wanted()
            try:
                await self.disown(key)
            except StoreUnavailableError:
                pass  # who wants it asks again
            except Exception as bug:  # noqa: BLE001 - one bad answer must not leave all others without one
                self.observer.broke(bug)

    async def disown(self, key: RequestKey) -> None:
        """Give a request back, if the ledger alone says that it is in hand here.

        No claim of this worker is under way meanwhile, and one that follows changes the lease. So what is
        carried out late gives nothing back that was granted since.

        Raises:
            StoreUnavailableError: no answer.
        """
        if key in self.questions or self.holds.get(key) is not None:
            return
        with self.questions.about(key):
            record = await self.records.look(key)
            # A cancel may have taken it in hand by now.
            if record is None or record.owner != self.owner or self.holds.get(key) is not None:
                return
            if await self.records.disown(key, owner_of(record)) is Standing.HELD:
                self.observer.disowned()
