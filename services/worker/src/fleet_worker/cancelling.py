"""The story of one cancel: a request that nobody wants any more ends as `cancelled`, wherever it is."""

from dataclasses import dataclass

from fleet_contracts.codes import ErrorCode
from fleet_worker import ports
from fleet_worker.completion import CompletionError
from fleet_worker.failing import Failing
from fleet_worker.hold import Hold, LostError
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.request import Absent, RequestKey
from fleet_worker.retrying import Retrying

STORE_PATIENCE_S = 60.0
"""How long a cancel waits here for a store that is away; then it goes back to its queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceller:
    """Cancels requests by their keys.

    Whoever runs one is told by the ledger, and a claim that comes later finds the cancel there; what nobody
    has in hand ends here. A request that has ended stays as it ended: the commit decides.
    """

    ledger: ports.Ledger
    failing: Failing
    retrying: Retrying
    observer: Observer

    async def cancel(self, key: RequestKey) -> Outcome:
        """Have the request end, and say what the door should do with the cancel."""
        try:
            await self.retrying.publish(lambda: self._cancel(key), LostError, STORE_PATIENCE_S)
        except (LostError, ports.UndeliveredError):
            # After a commit the request's own delivery, which is still in a queue, brings the reply again.
            return Outcome.HAND_BACK
        return Outcome.DONE

    async def _cancel(self, key: RequestKey) -> None:
        match await self.ledger.cancel(key):
            case Hold() as hold:
                await self._end(hold)
                self.observer.cancelled("in_hand")
            case seen:
                self.observer.cancelled(seen.value)

    async def _end(self, hold: Hold) -> None:
        request = Absent.of(hold.key, hold.facts.reply_to, hold.facts.model)
        error = CompletionError(ErrorCode.CANCELLED, "the request was cancelled", again=False)
        await self.failing.end(request, hold, error)
