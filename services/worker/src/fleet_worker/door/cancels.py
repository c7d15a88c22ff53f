"""Cancels as they come from `deepseek.control`: read, then carried out or buried."""

from dataclasses import dataclass
from typing import Protocol

from fleet_chassis.logging import bound
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import CANCEL_TYPE, DEFAULT_TENANT, cancelled_tenant
from fleet_contracts.topology import DELIVERY_LIMIT
from fleet_worker.delivery import Delivery, RefusedError, TenantRule
from fleet_worker.door.burying import Burying
from fleet_worker.door.deaths import DELIVERED_TOO_OFTEN
from fleet_worker.door.identity import correlation_id_of, readable, retry_of, tenant_of
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.replies.dead_letters import Why
from fleet_worker.request import RequestKey


class Cancelling(Protocol):
    """Ends one request by its key."""

    async def cancel(self, key: RequestKey) -> Outcome:
        """What to do with the cancel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancels:
    """Takes cancels. A bad one ends as one dead letter: there is no request that could fail."""

    canceller: Cancelling
    burying: Burying
    observer: Observer
    rule: TenantRule

    async def take(self, delivery: Delivery) -> Outcome:
        """See one cancel to its end."""
        try:
            key = cancelled_key(delivery, self.rule)
            with bound(tenant=key[0], correlation_id=key[1]):
                if delivery.deliveries > DELIVERY_LIMIT:
                    return await self._give_up(delivery)
                return await self.canceller.cancel(key)
        except RefusedError as refused:
            return await self._bury(delivery, refused.code, refused.message)
        except Exception as bug:  # noqa: BLE001 - whatever it is, it must not pass the door
            error = self.observer.broke(bug)
            return await self._bury(delivery, error.code, error.message)

    async def _give_up(self, delivery: Delivery) -> Outcome:
        # As with a request: from RabbitMQ 4.3 on, the broker itself lets a cancel come back for ever.
        message = "The cancel could not be carried out: publish it again."
        return await self._bury(delivery, ErrorCode.CRASH_LOOP, message, DELIVERED_TOO_OFTEN)

    async def _bury(
        self, delivery: Delivery, code: ErrorCode, message: str, reason: str | None = None
    ) -> Outcome:
        why = Why(
            code=code,
            message=message,
            tenant=_tenant_for_the_record(delivery, self.rule),
            correlation_id=readable(delivery.correlation_id),
            reason=reason,
        )
        return await self.burying.bury(delivery, why)


def cancelled_key(delivery: Delivery, rule: TenantRule) -> RequestKey:
    """Which request is meant. Only its own tenant can mean it: who asks is told as for a request.

    The body is not read: it says nothing.

    Raises:
        RefusedError: it is no cancel.
    """
    if delivery.type != CANCEL_TYPE:
        raise RefusedError(ErrorCode.INVALID_REQUEST, f"type must be {CANCEL_TYPE} on a cancel's key.")
    return (_tenant_of(delivery, rule), correlation_id_of(delivery), retry_of(delivery))


def _tenant_of(delivery: Delivery, rule: TenantRule) -> str:
    return tenant_of(delivery, rule, cancelled_tenant)


def _tenant_for_the_record(delivery: Delivery, rule: TenantRule) -> str:
    try:
        return _tenant_of(delivery, rule)
    except RefusedError:
        return DEFAULT_TENANT
