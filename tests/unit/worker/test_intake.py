import asyncio
from dataclasses import dataclass, field

import pytest
import structlog
from prometheus_client import CollectorRegistry

from fleet_contracts.codes import ErrorCode
from fleet_worker.delivery import TenantRule
from fleet_worker.door.intake import Intake
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.hold import DeliveryLease
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.ports import UndeliveredError
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Request
from harness.clock import HandClock
from harness.requests import a_delivery
from harness.worker_fakes import RecordingReplies


@dataclass
class Surely:
    """Keeps what must not be lost, or loses it."""

    kept: list[Outgoing] = field(default_factory=list[Outgoing])
    away: bool = False

    async def deliver_surely(self, message: Outgoing) -> None:
        if self.away:
            raise UndeliveredError("nobody took it")
        self.kept.append(message)


@dataclass
class Handles:
    """Ends each request as it is told."""

    error: BaseException | None = None
    handled: list[Request] = field(default_factory=list[Request])

    async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        assert delivery.held
        self.handled.append(request)
        if self.error is not None:
            raise self.error
        return Outcome.DONE


def an_intake(handler: Handles, surely: Surely, replies: RecordingReplies) -> Intake:
    return Intake(
        handler=handler,
        supervisor=Supervisor(1),
        replies=replies,
        deliverer=surely,
        observer=Observer(CollectorRegistry(), structlog.get_logger()),
        rule=TenantRule(),
        clock=HandClock(),
        worker="w-1",
    )


async def test_a_request_is_handled_and_nothing_buried():
    handler, surely, replies = Handles(), Surely(), RecordingReplies()
    assert await an_intake(handler, surely, replies).take(a_delivery()) is Outcome.DONE
    assert len(handler.handled) == 1
    assert (surely.kept, replies.refusals) == ([], [])


async def test_a_message_that_is_no_request_is_buried_with_its_own_bytes_and_its_sender_told():
    surely, replies = Surely(), RecordingReplies()
    assert await an_intake(Handles(), surely, replies).take(a_delivery(b"no json")) is Outcome.DONE
    (record,) = surely.kept
    assert record.body == b"no json"
    assert record.headers["fleet-dead-code"] == "invalid_request"
    assert [refusal.code for refusal in replies.refusals] == [ErrorCode.INVALID_REQUEST]


async def test_a_bad_message_that_cannot_be_put_aside_is_handed_back():
    surely = Surely(away=True)
    assert await an_intake(Handles(), surely, RecordingReplies()).take(a_delivery(b"")) is Outcome.HAND_BACK


async def test_a_bug_buries_the_delivery_instead_of_leaving_it_stuck():
    surely, replies = Surely(), RecordingReplies()
    intake = an_intake(Handles(ZeroDivisionError("CANARY")), surely, replies)
    assert await intake.take(a_delivery()) is Outcome.DONE
    assert surely.kept[0].headers["fleet-dead-code"] == "internal"
    assert replies.refusals[0].reply_to == "deepseek.reply.acme.1"
    assert "CANARY" not in replies.refusals[0].message


async def test_a_cancelled_delivery_is_neither_buried_nor_told():
    surely, replies = Surely(), RecordingReplies()
    intake = an_intake(Handles(asyncio.CancelledError()), surely, replies)
    with pytest.raises(asyncio.CancelledError):
        await intake.take(a_delivery())
    assert (surely.kept, replies.refusals) == ([], [])
