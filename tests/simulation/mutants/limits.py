"""Permits, deadlines and retries done wrong."""

from typing import Any
from unittest.mock import patch

from fleet_worker.attempts import Attempts
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.limiter.desk import Desk
from fleet_worker.limiter.terms import Granted
from fleet_worker.request import Request
from simulation.mutants.planting import mutant


@mutant("the permit of a call that was broken off is not given back")
def permit_kept_on_cancel() -> Any:
    whole = Attempts._left  # pyright: ignore[reportPrivateUsage] - breaking it is the point

    def left(self: Any, permit: Any, ended: Any) -> None:
        if ended is not None:
            whole(self, permit, ended)

    return patch.object(Attempts, "_left", left)


@mutant("a call begins without waiting for its permit")
def no_wait_for_a_permit() -> Any:
    whole = Desk.acquire

    async def acquire(self: Any, wish: Any) -> Any:
        await whole(self, wish)
        self._hold(wish)
        return Granted()

    return patch.object(Desk, "acquire", acquire)


@mutant("a request's own deadline is not looked at")
def deadline_ignored() -> Any:
    def of(request: Request, clock: Any, longest_s: float) -> Deadline:
        del request
        return Deadline(clock.monotonic() + longest_s)

    return patch.object(Deadline, "of", of)


@mutant("a broken call is repeated although the ledger counts too many")
def attempts_unbounded() -> Any:
    async def worth_repeating(self: Any, error: CompletionError) -> bool:
        self._remember(error)
        self._ended(error.code, None)
        return error.again

    return patch.object(Attempts, "worth_repeating", worth_repeating)
