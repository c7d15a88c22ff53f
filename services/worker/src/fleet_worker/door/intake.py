"""What happens to a delivery between the door and the handler: read, then refused or supervised."""

from dataclasses import dataclass
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_chassis.logging import bound
from fleet_contracts.codes import ErrorCode
from fleet_contracts.topology import DELIVERY_LIMIT
from fleet_worker.completion import CompletionError
from fleet_worker.delivery import Delivery, RefusedError, TenantRule
from fleet_worker.door.burying import Burying
from fleet_worker.door.deaths import DELIVERED_TOO_OFTEN
from fleet_worker.door.reading import read, refusal_of
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.hold import DeliveryLease
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.request import Refusal, Request


class Handles(Protocol):
    """Brings one request to its end."""

    async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        """What to do with its delivery."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes deliveries; whatever is wrong with one ends here as a record and a reply."""

    handler: Handles
    supervisor: Supervisor
    burying: Burying
    observer: Observer
    rule: TenantRule
    clock: Clock

    async def take(self, delivery: Delivery) -> Outcome:
        """See one delivery to its end; a bug buries it, for a delivery left alone would be stuck for good."""
        try:
            return await self._take(delivery)
        except Exception as bug:  # noqa: BLE001 - whatever it is, it must not pass the door
            error = self.observer.broke(bug)
            refused = RefusedError(error.code, error.message)
            return await self.burying.refuse(delivery, refusal_of(delivery, self.rule, refused))

    async def _take(self, delivery: Delivery) -> Outcome:
        reading = read(delivery, self.rule, self.clock.now_ms())
        if isinstance(reading, Refusal):
            return await self.burying.refuse(delivery, reading)
        # Up to RabbitMQ 4.2 the broker itself sees to this. From 4.3 on its limit counts neither what is
        # given back nor what outlives the consumer timeout: that would go round for ever.
        if delivery.deliveries > DELIVERY_LIMIT:
            return await self._end(delivery, reading)
        return await self.supervisor.run(
            lambda: self._handle(delivery, reading), delivery.lease, self._left_s(reading)
        )

    def _left_s(self, request: Request) -> float | None:
        if request.deadline_ms is None:
            return None
        return max(0.0, (request.deadline_ms - self.clock.now_ms()) / 1000)

    async def _handle(self, delivery: Delivery, request: Request) -> Outcome:
        with (
            bound(correlation_id=request.correlation_id, tenant=request.tenant),
            self.observer.in_flight.track_inprogress(),
        ):
            self.observer.arrived(request)
            try:
                outcome = await self.handler.handle(request, delivery.lease)
            except Exception as bug:  # noqa: BLE001 - it is a request, so it ends as one: as the ledger knows
                return await self.burying.end(delivery, request, self.observer.broke(bug))
            if outcome is Outcome.BURY:
                return await self.burying.quarantine(delivery, request)
            return outcome

    async def _end(self, delivery: Delivery, request: Request) -> Outcome:
        message = (
            f"workers took the request {delivery.deliveries} times and never ended it: tell the fleet's "
            "operators, and check that the broker's consumer timeout is longer than FLEET_LONGEST_REQUEST_S"
        )
        error = CompletionError(ErrorCode.CRASH_LOOP, message, again=False)
        with bound(correlation_id=request.correlation_id, tenant=request.tenant):
            return await self.burying.end(delivery, request, error, DELIVERED_TOO_OFTEN)
