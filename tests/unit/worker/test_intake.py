import asyncio
from dataclasses import dataclass, field

from fleet_contracts.codes import ErrorCode
from fleet_contracts.topology import DELIVERY_LIMIT
from fleet_worker.deadline import Deadline
from fleet_worker.door.intake import Intake
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Granted
from fleet_worker.request import Addressed, Request
from fleet_worker.terminal import Terminal
from harness.graveyard import Graveyard
from harness.requests import a_delivery

ANSWER = Terminal("result", "c-1:final", 1, b"{}")


@dataclass
class Handles:
    """Ends each request as it is told."""

    error: BaseException | None = None
    outcome: Outcome = Outcome.DONE
    handled: list[Request] = field(default_factory=list[Request])

    async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        assert delivery.held
        self.handled.append(request)
        if self.error is not None:
            raise self.error
        return self.outcome


def an_intake(handler: Handles, yard: Graveyard) -> Intake:
    return Intake(
        handler=handler,
        supervisor=Supervisor(1),
        burying=yard.burying,
        observer=yard.observer,
        rule=yard.rule,
        clock=yard.clock,
    )


async def test_a_request_is_handled_and_nothing_buried():
    handler, yard = Handles(), Graveyard()
    assert await an_intake(handler, yard).take(a_delivery()) is Outcome.DONE
    assert len(handler.handled) == 1
    assert (yard.codes, yard.replies.refusals) == ([], [])


async def test_a_message_that_is_no_request_is_buried_with_its_own_bytes_and_its_sender_told():
    yard = Graveyard()
    assert await an_intake(Handles(), yard).take(a_delivery(b"no json")) is Outcome.DONE
    (record,) = yard.surely.kept
    assert record.body == b"no json"
    assert record.headers["fleet-dead-code"] == "invalid_request"
    assert [refusal.code for refusal in yard.replies.refusals] == [ErrorCode.INVALID_REQUEST]


async def test_a_bad_message_that_cannot_be_put_aside_is_handed_back():
    yard = Graveyard()
    yard.surely.away = True
    assert await an_intake(Handles(), yard).take(a_delivery(b"")) is Outcome.HAND_BACK


async def test_a_bug_buries_the_delivery_instead_of_leaving_it_stuck():
    yard = Graveyard()
    intake = an_intake(Handles(ZeroDivisionError("CANARY")), yard)
    assert await intake.take(a_delivery()) is Outcome.DONE
    assert (yard.codes, yard.replies.lines, yard.replies.refusals) == (["internal"], ["internal"], [])
    assert b"CANARY" not in yard.replies.terminals[0].body


async def test_a_bug_after_the_answer_was_stored_sends_the_answer_and_no_failure():
    yard = Graveyard()

    class Breaks(Handles):
        """Stores the answer, and breaks before it is published."""

        async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
            claim = await yard.ledger.claim(request, delivery)
            assert isinstance(claim, Granted)
            await yard.ledger.commit(claim.hold, ANSWER, Deadline(yard.clock.monotonic()))
            raise ZeroDivisionError

    assert await an_intake(Breaks(), yard).take(a_delivery()) is Outcome.DONE
    assert (yard.replies.terminals, yard.codes, yard.replies.refusals) == ([ANSWER], [], [])


async def test_a_bug_that_also_keeps_the_failure_from_being_stored_buries_the_delivery():
    yard = Graveyard()

    async def breaks(request: Addressed, terminal: Terminal) -> None:
        del request, terminal
        raise ZeroDivisionError

    yard.replies.finish = breaks
    assert await an_intake(Handles(ZeroDivisionError()), yard).take(a_delivery()) is Outcome.DONE
    assert yard.codes == ["internal"]
    assert yard.replies.refusals[0].reply_to == "deepseek.reply.acme.1"


async def test_a_cancelled_delivery_is_handed_back_and_neither_buried_nor_told():
    yard = Graveyard()
    intake = an_intake(Handles(asyncio.CancelledError()), yard)
    assert await intake.take(a_delivery()) is Outcome.HAND_BACK
    assert (yard.codes, yard.replies.refusals) == ([], [])


async def test_a_request_that_takes_workers_down_is_kept_among_the_dead_letters():
    yard = Graveyard()
    assert await an_intake(Handles(outcome=Outcome.BURY), yard).take(a_delivery()) is Outcome.DONE
    assert yard.codes == ["crash_loop"]
    yard.surely.away = True
    assert await an_intake(Handles(outcome=Outcome.BURY), yard).take(a_delivery()) is Outcome.HAND_BACK


async def test_a_delivery_that_worker_after_worker_took_ends_in_one_failure_and_one_dead_letter():
    handler, yard = Handles(), Graveyard()
    intake = an_intake(handler, yard)
    delivery = a_delivery(headers={"x-acquired-count": DELIVERY_LIMIT + 1})
    assert await intake.take(delivery) is Outcome.DONE
    assert (yard.replies.lines, yard.codes, handler.handled) == (["crash_loop"], ["crash_loop"], [])
    assert yard.surely.kept[0].headers["fleet-dead-reason"] == "delivery_limit"


async def test_as_many_deliveries_as_are_allowed_are_no_reason_to_give_up():
    handler, yard = Handles(), Graveyard()
    await an_intake(handler, yard).take(a_delivery(headers={"x-acquired-count": DELIVERY_LIMIT}))
    assert (len(handler.handled), yard.codes) == (1, [])
