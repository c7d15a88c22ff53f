"""Keeps what this worker holds in the ledger's eye, and stops what nobody counts on it for any more."""

import math
from dataclasses import dataclass

from fleet_chassis.batches import in_batches
from fleet_chassis.clock import Clock
from fleet_chassis.store import StoreUnavailableError
from fleet_worker.hold import Hold, LostError
from fleet_worker.ledger.answers import Standing
from fleet_worker.ledger.holder import holder_of
from fleet_worker.ledger.holds import Holds, cancelled
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.record import Holder
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.times import RENEW_S, Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewing:
    """Renews everything that is held about every 5 s."""

    records: Records
    holds: Holds
    owner: str
    times: Times
    clock: Clock
    observer: LedgerObserver

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await self.clock.sleep(RENEW_S)
            await self.renew_all()

    async def renew_all(self) -> None:
        """Renew what is held."""
        await in_batches(self.holds.all(), self._renew_or_stop, self.clock)

    async def renew(self, hold: Hold) -> Standing:
        """Renew one hold, and say what has changed.

        Raises:
            StoreUnavailableError: no answer.
        """
        asked_at = self.clock.monotonic()
        standing = await self.records.keep(hold.key, self.holder(hold))
        if standing in {Standing.HELD, Standing.CANCELLED}:
            # Counted from before the question, so that it never ends later here than in the store.
            hold.leased_until = asked_at + self.times.lease_s
        else:
            hold.leased_until = -math.inf
        if standing is Standing.CANCELLED:
            hold.stop(cancelled())
        return standing

    def holder(self, hold: Hold) -> Holder:
        """What this worker says of a hold now."""
        return holder_of(hold, self.owner, self.clock.monotonic())

    async def _renew_or_stop(self, hold: Hold) -> None:
        if self.holds.get(hold.key) is not hold:
            return  # it has ended since
        try:
            await self.renew(hold)
        except StoreUnavailableError:
            pass  # the lease runs on, and the delivery may hold even without it
        except Exception as bug:  # noqa: BLE001 - one bad answer must not end the renewal of all the others
            self.observer.broke(bug)
        if not hold.stands(self.clock.monotonic()):
            self.observer.aborted()
            hold.stop(LostError("both leases are lost"))
