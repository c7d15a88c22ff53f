"""The seams of what may have to wait: an upstream that can't be called now, and a place to wait in."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from fleet_worker.completion import CompletionError
from fleet_worker.ports import Completions
from fleet_worker.postponed import PostponedError
from fleet_worker.request import Request


class Upstream(Protocol):
    """Lets calls through while calling makes sense, and learns from how each ended."""

    def admitted(self, request: Request, account: str) -> AbstractAsyncContextManager[Completions]:
        """The way to make one call with an account, for the length of a block; its end is noted.

        Raises:
            PostponedError: on entering: no call makes sense now, for any worker.
        """
        ...

    def postpones(self, error: CompletionError, turned_away: int) -> PostponedError | None:
        """How a request is put aside whose call ended in `error`; None where it is not.

        `turned_away`: how many of its calls ended so, on any worker.
        """
        ...

    async def may_repeat(self, request: Request, error: CompletionError, account: str) -> bool:
        """Whether the fleet can afford to call again after `error` of an account; a yes spends its budget.

        Raises:
            PostponedError: it can't, nor can any other call of this model be made now; or the call was
                turned away, for which no request fails.
        """
        ...

    def hands_over(self, request: Request, account: str, trouble: CompletionError | PostponedError) -> bool:
        """Whether another account is to make the call that this one could not."""
        ...


class ParkingLot(Protocol):
    """Where requests wait that can't go on now."""

    def check_due(self, request: Request) -> None:
        """Let a request pass whose wait is over, or whose deadline is.

        Raises:
            PostponedError: it waits on.
        """
        ...

    def in_time(self, request: Request) -> AbstractContextManager[None]:
        """Work that may be put aside; where it would come back too late, the request fails instead, now.

        Raises:
            PostponedError: the request has the time.
            CompletionError: it has not.
        """
        ...

    async def park(self, request: Request, postponed: PostponedError) -> None:
        """Put a request aside; when this returns, its delivery may be acknowledged.

        Raises:
            UndeliveredError: nobody took it.
        """
        ...
