"""One turn of a conversation, from its place in the line to its place in the history."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from fleet_chassis.store import StoreUnavailableError
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import ConversationAction, RequestType
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.composing import compose_history
from fleet_worker.conversations.asking import Asked
from fleet_worker.conversations.ending import recalled
from fleet_worker.conversations.histories import (
    Addition,
    Answered,
    Appended,
    Busy,
    Claim,
    Differs,
    Lost,
    Taken,
    name_of,
)
from fleet_worker.conversations.history import History, Said
from fleet_worker.conversations.home import Held, Home
from fleet_worker.deadline import Deadline
from fleet_worker.hold import Hold, LostError
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.request import ConversationKey, Request, key_text
from fleet_worker.terminal import Terminal

AGAIN_S = 5.0
"""When a parked turn looks again: the shortest rung."""
PATIENCE_S = 600.0
"""How long after its deadline an answer waits in memory for a store that is away, as in the ledger."""
PAUSE_S = 1.0
"""Between two tries at a store that answers, and can't write."""


@dataclass(eq=False, slots=True, kw_only=True)
class FleetTurn:
    """As `conversing.Turn`."""

    wanted: Request
    conversation: ConversationKey
    hold: Hold
    home: Home
    _taken: History | None = None
    _asked: Asked | None = None
    _said: Said | None = None
    _held: Held | None = None
    _written: bool = False

    @property
    def request(self) -> Request:
        """As `conversing.Turn.request`."""
        return self.wanted if self._asked is None else self._asked.request

    @property
    def claim(self) -> Claim:
        """Who asks."""
        turn = key_text(self.wanted.key)
        return Claim(turn, self.hold.fence, self.home.channel, self.wanted.continues)

    async def begin(self, deadline: Deadline) -> Terminal | None:
        """As `conversing.Turn.begin`."""
        try:
            return await self._recall() or await self._begin(deadline)
        except StoreUnavailableError as error:
            raise LostError("the store is away: no turn may begin") from error

    def answered(self, completion: Completion) -> Completion:
        """As `conversing.Turn.answered`."""
        assert self._asked is not None and self._taken is not None  # noqa: S101, PT018 - it has begun
        self._said = self._asked.said(self.claim.turn, completion.response)
        return replace(completion, conversation=self._place(self._taken.version + 1))

    async def append(self, terminal: Terminal, deadline: Deadline) -> None:
        """As `conversing.Turn.append`."""
        if self._taken is None or terminal.kind == "failure":
            return
        self.home.room -= len(terminal.body)
        try:
            became = await self._append_when_back(self._taken, terminal, deadline)
        finally:
            self.home.room += len(terminal.body)
        if became is Appended.LOST:
            self.home.observer.turn("lost")
            raise LostError("the conversation is in other hands")
        self._put_down()
        self._written = True
        self.home.observer.turn("appended")

    async def ended(self) -> None:
        """As `conversing.Turn.ended`."""
        if self._written:
            with suppress(StoreUnavailableError):  # it goes by itself
                await self.home.histories.forget_answer(self.conversation, self.claim.turn)

    async def release(self) -> None:
        """As `conversing.Turn.release`."""
        if self._put_down():
            with suppress(StoreUnavailableError):  # its lease ends by itself
                await self.home.histories.release(self.conversation, self.claim)

    async def _recall(self) -> Terminal | None:
        """The end of a turn whose worker was lost between the append and the commit, whatever came since."""
        if not (self.wanted.deliveries or self.hold.attempts_before):
            return None
        body = await self.home.histories.answer(self.conversation, self.claim.turn)
        return None if body is None else self._recalled(body)

    async def _begin(self, deadline: Deadline) -> Terminal | None:
        with self.hold.working():
            action = self._action()
            if action is ConversationAction.HISTORY:
                history = await self.home.histories.look(self.conversation)
                return compose_history(self.wanted, self._place(history.version), history.messages)
            taken = await self._take(deadline)
            if isinstance(taken, Answered):
                return self._recalled(taken.body)
            self._taken = taken.history
            if action is ConversationAction.CLEAR:
                return compose_history(self.wanted, self._place(taken.history.version + 1), [])
            self._asked = await self.home.asking.ask(self.wanted, taken.history)
            return None

    async def _take(self, deadline: Deadline) -> Taken | Answered:
        # Only the waiting is cut short: a question that was cut off might have been answered with a yes.
        until = _now() + min(self.home.hold_s, max(0.0, deadline.left_s(self.home.clock)))
        with self.home.line.expecting(name_of(self.conversation)) as freed:
            while True:
                if freed is not None:
                    freed.clear()
                match await self.home.histories.take(self.conversation, self.claim):
                    case Taken() as taken:
                        self._held = Held(self.conversation, self.claim, self.hold)
                        self.home.held.add(self._held)
                        return taken
                    case Answered() as answered:
                        return answered
                    case Differs(version=version):
                        self.home.observer.turn("conflict")
                        raise _conflict(version, self.wanted.continues)
                    case Busy(left_ms=left_ms):
                        left_s = until - _now()
                        if freed is None or left_s <= 0:
                            self.home.observer.turn("busy")
                            raise PostponedError(Reason.CONVERSATION, AGAIN_S)
                        with suppress(TimeoutError):
                            async with asyncio.timeout(min(left_s, left_ms / 1000 + PAUSE_S / 10)):
                                await freed.wait()
                    case Lost():
                        raise LostError("the turn is in other hands")

    async def _append_when_back(self, taken: History, terminal: Terminal, deadline: Deadline) -> Appended:
        until = deadline.at + PATIENCE_S
        while True:
            try:
                return await self._append(taken, terminal.body)
            except StoreUnavailableError as error:
                if self.home.room < 0 or self.home.clock.monotonic() >= until:
                    raise LostError("the store stayed away, or too much waits for it already") from error
            await self._back(until)

    async def _append(self, taken: History, body: bytes) -> Appended:
        histories, claim = self.home.histories, self.claim
        if self._asked is None or self._said is None:
            return await histories.clear(self.conversation, claim, taken.version + 1, body)
        addition = Addition(taken, self._said, self._asked.system, self._asked.first, body)
        return await histories.append(self.conversation, claim, addition)

    async def _back(self, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - self.home.clock.monotonic())):
                await self.home.trust.back()
                await self.home.clock.sleep(PAUSE_S)

    def _put_down(self) -> bool:
        held, self._held = self._held, None
        if held is not None:
            self.home.held.discard(held)
        return held is not None

    def _recalled(self, body: bytes | None) -> Terminal:
        terminal = recalled(body, self.home.observer)
        self._written = True
        return terminal

    def _action(self) -> ConversationAction | None:
        if self.wanted.type is not RequestType.CONVERSATION:
            return None
        return ConversationAction(self.wanted.body["action"])

    def _place(self, version: int) -> dict[str, str | int]:
        return {"id": self.conversation[1], "version": version}


def _now() -> float:
    return asyncio.get_running_loop().time()


def _conflict(version: int, continues: int | None) -> CompletionError:
    message = (
        f"the conversation is at version {version} and this turn continues version {continues}: read it, and "
        "send the turn again under a new correlation ID"
    )
    return CompletionError(ErrorCode.CONVERSATION_CONFLICT, message, again=False)
