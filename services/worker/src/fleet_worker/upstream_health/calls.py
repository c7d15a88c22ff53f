"""One admitted call: whatever way it ends, the record is told once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fleet_worker.completion import Completion, CompletionError, Delta, Emit
from fleet_worker.deadline import Deadline
from fleet_worker.ports import Completions
from fleet_worker.request import Request
from fleet_worker.upstream_health.signs import Sign, sign_of

Tell = Callable[["Call", Sign, CompletionError | None], Awaitable[None]]


@dataclass(slots=True)
class Call:
    """Makes the call that was admitted, and tells how it went.

    A probe tells with its first text: waiting for its end would hold the fleet back for minutes.
    """

    id: str
    model: str
    probe: bool
    completions: Completions
    tell: Tell
    later: Callable[[Awaitable[None]], None]
    """Sees to something that must not hold up the answer."""
    credit: int = 1
    of_account: bool = False
    """It is the call by which the fleet finds out whether the account is well again."""
    told: bool = False

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        """Make the call."""
        try:
            completion = await self.completions.complete(request, deadline, self._listening(emit))
        except CompletionError as error:
            await self._tell(sign_of(error), error)
            raise
        self._tell_later(Sign.WELL)
        return completion

    def left(self) -> None:
        """The call was not made, or was broken off from this side."""
        if self.probe:
            self._tell_later(Sign.NONE)

    def _listening(self, emit: Emit) -> Emit:
        if not self.probe:
            return emit

        def heard(delta: Delta) -> None:
            self._tell_later(Sign.WELL)
            emit(delta)

        return heard

    async def _tell(self, sign: Sign, error: CompletionError | None = None) -> None:
        if not self.told:
            self.told = True
            await self.tell(self, sign, error)

    def _tell_later(self, sign: Sign) -> None:
        if not self.told:
            self.told = True
            self.later(self.tell(self, sign, None))
