"""The story of a request that can't be answered: it is claimed like any other, and ends in one failure."""

from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_worker import ports
from fleet_worker.completion import CompletionError
from fleet_worker.failing import Failing
from fleet_worker.hold import DeliveryLease, Hold
from fleet_worker.observing import Observer
from fleet_worker.postponed import PostponedError
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Janitor:
    """Ends requests that were put aside."""

    ledger: ports.Ledger
    failing: Failing
    replies: ports.Replies
    observer: Observer
    clock: Clock
    longest_s: float
    """How long it waits, in seconds, for a request that somebody works on: that one's end counts."""

    async def end(self, request: Request, error: CompletionError) -> Terminal | None:
        """End the request with `error`, unless it has ended; returns the terminal reply that was published.

        None where there is none to publish: the key is another request's, or the reply is no longer kept.

        Raises:
            PostponedError: it stayed in other hands.
            LostError: the ledger can't be asked.
            UndeliveredError: nobody took the reply.
        """
        match await self._claim(request):
            case ports.Granted(hold=hold):
                return await self._fail(request, hold, error)
            case ports.Final(terminal=terminal):
                await self.replies.finish(request, terminal)
                return terminal
            case ports.AlreadyAnswered() | ports.Conflict() as told:
                await self.replies.refuse(request.refused(told.code, told.message))
                return None

    async def _claim(self, request: Request) -> ports.Claim:
        until = self.clock.monotonic() + self.longest_s
        while True:
            try:
                return await self.ledger.claim(request, DeliveryLease())
            except PostponedError:
                # It has waited some seconds to be told of the end; that may take as long as a call takes.
                if self.clock.monotonic() >= until:
                    raise

    async def _fail(self, request: Request, hold: Hold, error: CompletionError) -> Terminal:
        stored = await self.failing.end(request, hold, _why(hold, error))
        self.observer.ended(request, stored.outcome, hold.attempts, request.queued_ms)
        return stored


def _why(hold: Hold, error: CompletionError) -> CompletionError:
    """`error`, or what the request was stopped for before: a cancel, or too many workers lost."""
    try:
        with hold.working():
            return error
    except CompletionError as reason:
        return reason
