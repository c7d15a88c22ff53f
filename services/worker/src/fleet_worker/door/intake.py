"""What happens to a delivery between the door and the handler: read, then refused or supervised."""

from dataclasses import dataclass
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_chassis.logging import bound
from fleet_worker.delivery import Delivery, RefusedError, TenantRule
from fleet_worker.door.reading import read, refusal_of
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.hold import DeliveryLease
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Replies, UndeliveredError
from fleet_worker.replies.dead_letters import Why, to_dead_letters
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Refusal, Request


class Handles(Protocol):
    """Brings one request to its end."""

    async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        """What to do with its delivery."""
        ...


class DeliversSurely(Protocol):
    """Publishes what must not be lost."""

    async def deliver_surely(self, message: Outgoing) -> None:
        """Have it confirmed, or raise UndeliveredError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes deliveries; whatever is wrong with one ends here as a record and a reply."""

    handler: Handles
    supervisor: Supervisor
    replies: Replies
    deliverer: DeliversSurely
    observer: Observer
    rule: TenantRule
    clock: Clock
    worker: str

    async def take(self, delivery: Delivery) -> Outcome:
        """See one delivery to its end; a bug buries it, for a delivery left alone would be stuck for good."""
        try:
            return await self._take(delivery)
        except Exception as bug:  # noqa: BLE001 - whatever it is, it must not pass the door
            error = self.observer.broke(bug)
            refused = RefusedError(error.code, error.message)
            return await self._bury(delivery, refusal_of(delivery, self.rule, refused))

    async def _take(self, delivery: Delivery) -> Outcome:
        reading = read(delivery, self.rule, self.clock.now_ms())
        if isinstance(reading, Refusal):
            return await self._bury(delivery, reading)
        return await self.supervisor.run(lambda lease: self._handle(reading, lease))

    async def _handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        with (
            bound(correlation_id=request.correlation_id, tenant=request.tenant),
            self.observer.in_flight.track_inprogress(),
        ):
            return await self.handler.handle(request, delivery)

    async def _bury(self, delivery: Delivery, refusal: Refusal) -> Outcome:
        """One dead letter, and one failure where its sender can be told; only then is it acknowledged."""
        self.observer.refused(refusal, len(delivery.body))
        record = to_dead_letters(delivery, Why.refused(refusal), self.worker, self.clock.now_ms())
        try:
            await self.replies.refuse(refusal)
            await self.deliverer.deliver_surely(record)
        except UndeliveredError:
            return Outcome.HAND_BACK
        return Outcome.DONE
