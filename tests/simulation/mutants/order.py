"""Steps left out, or done in another order."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from chaos.broken_steps import PublishesFirst
from fleet_contracts.codes import ErrorCode
from fleet_worker import ports
from fleet_worker.completion import CompletionError
from fleet_worker.composing import compose_failure
from fleet_worker.delivery import Delivery
from fleet_worker.door.intake import Intake
from fleet_worker.handler import Handler
from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome
from fleet_worker.parking import ParkingLot
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal
from simulation.mutants.planting import mutant


@mutant("a delivery is acknowledged before its request is handled")
def ack_first() -> Any:
    whole = Intake.take
    handling = set[asyncio.Task[Outcome]]()

    async def take(self: Any, delivery: Delivery) -> Outcome:
        task = asyncio.create_task(whole(self, delivery))
        handling.add(task)
        task.add_done_callback(handling.discard)
        return Outcome.DONE

    return patch.object(Intake, "take", take)


@mutant("the end is published before it is committed")
def publish_before_commit() -> Any:
    return patch.object(Handler, "_answer", vars(PublishesFirst)["_answer"])


@mutant("the end of a request that has ended before is not sent again")
def no_replay() -> Any:
    async def nothing(_handler: Any, _request: Request) -> None:
        """Nothing."""

    return _on_final(nothing)


@mutant("a request that has ended before is answered anew, in other words")
def ends_anew() -> Any:
    async def anew(handler: Any, request: Request) -> None:
        error = CompletionError(ErrorCode.CANCELLED, "it came again", again=False)
        await handler.replies.finish(request, compose_failure(request, error, 0))

    return _on_final(anew)


@mutant("a parked copy is not waited for")
def parked_without_a_confirm() -> Any:
    whole = ParkingLot.park
    parking = set[asyncio.Task[None]]()

    async def park(self: Any, request: Request, postponed: Any) -> None:
        task = asyncio.create_task(whole(self, request, postponed))
        parking.add(task)
        task.add_done_callback(parking.discard)

    return patch.object(ParkingLot, "park", park)


def _on_final(then: Callable[[Any, Request], Any]) -> Any:
    whole = Handler._answer_or_park  # pyright: ignore[reportPrivateUsage] - breaking it is the point

    async def answer_or_park(self: Any, request: Request, delivery: DeliveryLease) -> Outcome:
        async def finish(_request: Any, _terminal: Terminal) -> None:
            await then(self, request)

        replies: Any = _WithFinish(self.replies, finish)
        return await whole(replace(self, replies=replies), request, delivery)

    return patch.object(Handler, "_answer_or_park", answer_or_park)


class _WithFinish:
    """Replies that end what has ended before in another way."""

    def __init__(self, replies: ports.Replies, finish: Any) -> None:
        self.open, self.refuse, self.finish = replies.open, replies.refuse, finish
