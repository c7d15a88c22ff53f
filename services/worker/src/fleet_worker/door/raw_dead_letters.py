"""What the broker itself put aside (`deepseek.dead.raw`): each gets its failure and a record of why."""

from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.logging import bound
from fleet_contracts.grammar import CANCEL_TYPE
from fleet_contracts.topology import CONTROL_CANCELS
from fleet_worker.delivery import Delivery, RefusedError, TenantRule
from fleet_worker.door.burying import Burying
from fleet_worker.door.deaths import Death, death_of, revived
from fleet_worker.door.reading import read, refusal_of
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.replies.dead_letters import Why
from fleet_worker.request import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDeadLetters:
    """Takes them one by one; nothing of them, forged as it may be, makes one stuck."""

    burying: Burying
    observer: Observer
    rule: TenantRule
    clock: Clock

    async def take(self, delivery: Delivery) -> Outcome:
        """See one to its end."""
        death = death_of(delivery)
        before = revived(delivery, death)
        try:
            return await self._take(before, death)
        except Exception as bug:  # noqa: BLE001 - whatever it is, it must not pass the door
            error = self.observer.broke(bug)
            refused = RefusedError(error.code, error.message)
            refusal = refusal_of(before, self.rule, refused)
            return await self.burying.refuse(before, refusal, death.reason)

    async def _take(self, before: Delivery, death: Death) -> Outcome:
        if before.queue == CONTROL_CANCELS or before.type == CANCEL_TYPE:
            return await self._bury_cancel(before, death)
        reading = read(before, self.rule, self.clock.now_ms())
        if isinstance(reading, Refusal):
            return await self.burying.refuse(before, reading, death.reason)
        with bound(correlation_id=reading.correlation_id, tenant=reading.tenant):
            return await self.burying.end(before, reading, death.error(), death.reason)

    async def _bury_cancel(self, before: Delivery, death: Death) -> Outcome:
        refused = RefusedError(death.error().code, "The cancel could not be carried out: publish it again.")
        refusal = refusal_of(before, self.rule, refused)
        return await self.burying.bury(before, Why.refused(refusal, death.reason))
