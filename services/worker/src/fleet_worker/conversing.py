"""The seams of conversations: what the handler needs of a history that the fleet keeps."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from fleet_worker.completion import Completion
from fleet_worker.deadline import Deadline
from fleet_worker.hold import Hold
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal


class Turn(Protocol):
    """One request's place in its conversation; a request without a conversation has one that does nothing."""

    @property
    def request(self) -> Request:
        """What to ask the upstream: once begun, with the history before what is new."""
        ...

    async def begin(self, deadline: Deadline) -> Terminal | None:
        """Have the conversation to itself; returns the request's end where no call is needed for it.

        That is so where only the history was asked for, and where an owner that is gone had appended this
        turn already: then its answer counts.

        Raises:
            PostponedError: another turn is under way, and went on for longer than is waited for.
            CompletionError: `conversation_conflict`, or the request was cancelled meanwhile.
            LostError: the store can't be asked, or the turn is in other hands.
        """
        ...

    def answered(self, completion: Completion) -> Completion:
        """Take the whole answer for the history, and tell it which version of the conversation it makes."""
        ...

    async def append(self, terminal: Terminal, deadline: Deadline) -> None:
        """Write the turn down, before its end is committed; nothing where it has failed.

        Once appended it stays: who asks again gets this terminal reply. Waits for a store that is away, until
        10 minutes after the deadline.

        Raises:
            LostError: the turn is in other hands, or the store stayed away; the history is as it was.
        """
        ...

    async def ended(self) -> None:
        """The end is committed and told: what was kept for a second asking may go. Never raises."""
        ...

    async def release(self) -> None:
        """Let the next turn begin; called on every way out. Never raises."""
        ...


class Conversations(Protocol):
    """The conversations of all tenants, by every worker that shares the store."""

    def turn(self, request: Request, hold: Hold) -> Turn:
        """The turn that this request is."""
        ...

    def ending(self, hold: Hold) -> AbstractAsyncContextManager[Terminal | None]:
        """End a held request without an answer, for the length of a block.

        Yields the terminal reply of a turn that was appended before its worker was lost: that is the
        request's end, as the history has it. None where there is none, and no one can append it any more.

        Raises:
            CompletionError: on entering: it was appended, and its reply is not kept.
            LostError: on entering: the store can't be asked, or the turn is in other hands.
        """
        ...
