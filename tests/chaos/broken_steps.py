"""Workers with one step of the protocol broken on purpose: the checker must find each of them out."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from fleet_chassis.store import Script
from fleet_worker.deadline import Deadline
from fleet_worker.door import consumer, receiving
from fleet_worker.door.settling import Settling
from fleet_worker.handler import Handler
from fleet_worker.hold import DeliveryLease, Hold
from fleet_worker.ledger import store
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal

BLIND_COMMIT = ("local stands = standing()", "local stands = 'held'")
"""What commit.lua says, and what it says where it does not ask whether its holder still has the request."""


class Step(StrEnum):
    """What is done wrong."""

    PUBLISH_BEFORE_COMMIT = "publish-before-commit"
    ACK_FIRST = "ack-first"
    NO_FENCE = "no-fence"


class PublishesFirst(Handler):
    """Tells the caller of an end that the ledger does not know yet."""

    async def _answer(self, request: Request, hold: Hold) -> Terminal:
        stream = self.replies.open(request)
        attempts = self.attempting.of(request, hold, stream)
        deadline = Deadline.of(request, self.clock, self.longest_s)
        turn = self.conversations.turn(request, hold)
        try:
            terminal = await self._earn_terminal(turn, attempts, deadline)
            await stream.finish(terminal)
            return await self.ledger.commit(hold, terminal, deadline)
        finally:
            await stream.close()
            await turn.release()
            await self.ledger.release(hold)


def broken(step: str) -> Callable[..., Handler]:
    """Break `step` in this process, or nothing where it is empty; how its handler is built."""
    match step:
        case Step.PUBLISH_BEFORE_COMMIT:
            return PublishesFirst
        case Step.ACK_FIRST:
            _acknowledge_first()
        case Step.NO_FENCE:
            _commit_whatever_was_committed()
        case _:
            assert not step, f"there is no step {step!r} to break: one of {[each.value for each in Step]}"
    return Handler


def _acknowledge_first() -> None:
    read_on, acks = receiving.delivery_of, set[asyncio.Task[Any]]()

    def acknowledged(message: Any, queue: str, lease: DeliveryLease) -> Any:
        ack = asyncio.create_task(message.ack())
        acks.add(ack)
        ack.add_done_callback(acks.discard)
        return read_on(message, queue, lease)

    async def settled(*_: object) -> None:
        """It was acknowledged long ago."""

    consumer.delivery_of = acknowledged  # pyright: ignore[reportPrivateImportUsage] - as below
    setattr(Settling, "settle", settled)  # noqa: B010 - its type is another, and breaking it is the point


def _commit_whatever_was_committed() -> None:
    whole = store._COMMIT.source  # pyright: ignore[reportPrivateUsage] - breaking it is the point
    blind = whole.replace(*BLIND_COMMIT)
    assert blind != whole, "commit.lua no longer asks how its holder stands: break it in another way"
    store._COMMIT = Script(blind)  # pyright: ignore[reportPrivateUsage]
