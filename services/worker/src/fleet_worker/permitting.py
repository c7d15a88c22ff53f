"""The seam of the limits: who wants to make an upstream call needs a permit."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from fleet_worker.completion import Completion, CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.request import Request

Tell = Callable[[int, float | None], None]
"""Takes how many requests are before this one, and about how many seconds it will wait, where known."""


class Permit(Protocol):
    """The right to have one upstream call in flight."""

    @property
    def account(self) -> str:
        """The account that it is for: the call is to be made with that one."""
        ...

    def release(self, ended: Completion | CompletionError | None, received: float = 0) -> None:
        """Give it back, and let the limits learn; called exactly once, on every way out; never waits.

        `ended`: how the call ended; None where it was cut off here. `received`: about how many output tokens
        had come by then.
        """
        ...

    def give_back(self) -> None:
        """In place of `release`, where no call was made."""
        ...

    def kept(self) -> AbstractContextManager[None]:
        """The length of the call.

        Raises:
            CompletionError: the permit was taken away, and operators want the call to end with it.
        """
        ...


class Limiter(Protocol):
    """Keeps the fleet inside the account's limits, and each tenant inside its own."""

    async def acquire(self, request: Request, deadline: Deadline, tell: Tell) -> Permit:
        """Take a permit for one upstream call; waits for it in line until the deadline.

        `tell` hears now and then where the request stands in line.

        Raises:
            CompletionError: `deadline_exceeded` or `budget_exceeded`; nothing is held.
            PostponedError: the wait would be too long to hold a delivery; nothing is held.
        """
        ...
