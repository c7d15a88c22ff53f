"""What happens to a delivery between the door and the handler: read, then refused or supervised."""

from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.logging import bound
from fleet_worker.delivery import Delivery, TenantRule
from fleet_worker.door.reading import read
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.handler import Handler
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Replies, UndeliveredError
from fleet_worker.replies.addressing import to_dead_letters
from fleet_worker.replies.delivering import Deliverer
from fleet_worker.request import Refusal, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes deliveries; whatever is wrong with one ends here as a record and a reply."""

    handler: Handler
    supervisor: Supervisor
    replies: Replies
    deliverer: Deliverer
    observer: Observer
    rule: TenantRule
    clock: Clock
    worker: str

    async def take(self, delivery: Delivery) -> Outcome:
        """See one delivery to its end."""
        reading = read(delivery, self.rule, self.clock.now_ms())
        if isinstance(reading, Refusal):
            return await self._bury(delivery, reading)
        return await self.supervisor.run(lambda: self._handle(reading))

    async def _handle(self, request: Request) -> Outcome:
        with (
            bound(correlation_id=request.correlation_id, tenant=request.tenant),
            self.observer.in_flight.track_inprogress(),
        ):
            return await self.handler.handle(request)

    async def _bury(self, delivery: Delivery, refusal: Refusal) -> Outcome:
        """One dead letter, and one failure where its sender can be told; only then is it acknowledged."""
        self.observer.refused(refusal, len(delivery.body))
        record = to_dead_letters(delivery, refusal, self.worker, self.clock.now_ms())
        try:
            await self.replies.refuse(refusal)
            await self.deliverer.deliver_surely(record)
        except UndeliveredError:
            return Outcome.HAND_BACK
        return Outcome.DONE
