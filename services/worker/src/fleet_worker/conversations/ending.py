"""The end of a turn that is not at hand: what its history has counts, and nothing more comes there."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import orjson

from fleet_chassis.store import StoreUnavailableError
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.conversations.histories import Answered, Claim, Lost
from fleet_worker.conversations.home import Home
from fleet_worker.conversations.observing import ConversationObserver
from fleet_worker.hold import Hold, LostError
from fleet_worker.request import key_text
from fleet_worker.terminal import Terminal


@asynccontextmanager
async def ending(home: Home, hold: Hold) -> AsyncGenerator[Terminal | None]:
    """As `conversing.Conversations.ending`.

    The turn's place is taken under the hold's fence: who had it before may only stand still, and can append
    nothing when it goes on.
    """
    conversation = hold.conversation
    if conversation is None:
        yield None
        return
    claim = Claim(key_text(hold.key), hold.fence, home.channel)
    try:
        took = await home.histories.take(conversation, claim)
    except StoreUnavailableError as error:
        raise LostError("the store is away: nobody knows whether the turn is in its history") from error
    if isinstance(took, Lost):
        raise LostError("the turn is in other hands")
    try:
        yield recalled(took.body, home.observer) if isinstance(took, Answered) else None
    finally:
        with suppress(StoreUnavailableError):  # its lease ends by itself
            await home.histories.release(conversation, claim)


def recalled(body: bytes | None, observer: ConversationObserver) -> Terminal:
    """The terminal reply of a turn that was appended before; raises CompletionError where it is not kept."""
    if body is None:
        message = "this turn is in its conversation already, and its answer is not kept: read the history"
        raise CompletionError(ErrorCode.ALREADY_ANSWERED, message, again=False)
    observer.turn("recalled")
    told = orjson.loads(body)
    return Terminal(told["kind"], told["id"], told.get("attempt", 0), body, told["kind"])
