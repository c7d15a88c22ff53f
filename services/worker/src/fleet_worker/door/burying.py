"""Puts deliveries aside: a record among the dead letters, and one failure where its sender can be told."""

from dataclasses import dataclass
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_chassis.logging import bound
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.delivery import Delivery
from fleet_worker.hold import LostError
from fleet_worker.janitor import Janitor
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Replies, UndeliveredError
from fleet_worker.postponed import PostponedError
from fleet_worker.replies.dead_letters import Why, to_dead_letters
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Refusal, Request


class DeliversSurely(Protocol):
    """Publishes what must not be lost."""

    async def deliver_surely(self, message: Outgoing) -> None:
        """Have it confirmed, or raise UndeliveredError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Burying:
    """Everything here is confirmed before the delivery may be acknowledged, the dead letter last."""

    janitor: Janitor
    replies: Replies
    deliverer: DeliversSurely
    observer: Observer
    clock: Clock
    worker: str

    async def refuse(self, delivery: Delivery, refusal: Refusal, reason: str | None = None) -> Outcome:
        """Tell its sender that this publish is no request, and bury it."""
        with bound(correlation_id=refusal.correlation_id or "", tenant=refusal.tenant):
            self.observer.refused(refusal, len(delivery.body))
            try:
                await self.replies.refuse(refusal)
            except UndeliveredError:
                return Outcome.HAND_BACK
            return await self.bury(delivery, Why.refused(refusal, reason))

    async def end(
        self, delivery: Delivery, request: Request, error: CompletionError, reason: str | None = None
    ) -> Outcome:
        """End a request with a failure, and bury it if that is how it ended."""
        try:
            terminal = await self.janitor.end(request, error)
        except (PostponedError, LostError, UndeliveredError):
            return Outcome.HAND_BACK
        if terminal is None or terminal.outcome != error.code:
            # It has ended in another way, so this delivery was only a copy of something that is done.
            return Outcome.DONE
        why = Why.failed(request, error.code, error.message, terminal.attempt, reason)
        return await self.bury(delivery, why)

    async def quarantine(self, delivery: Delivery, request: Request) -> Outcome:
        """Bury a request that has ended because workers were lost over it."""
        message = (
            "Workers were lost while they had this request in hand: see `fleet show` for when and which."
        )
        return await self.bury(delivery, Why.failed(request, ErrorCode.CRASH_LOOP, message))

    async def bury(self, delivery: Delivery, why: Why) -> Outcome:
        """Write one dead letter."""
        try:
            await self.deliverer.deliver_surely(
                to_dead_letters(delivery, why, self.worker, self.clock.now_ms())
            )
        except UndeliveredError:
            return Outcome.HAND_BACK
        self.observer.buried(why.code, why.reason)
        return Outcome.DONE
