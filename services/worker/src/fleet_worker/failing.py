"""The story of a held request that ends without an answer of its own."""

from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_worker import ports
from fleet_worker.completion import CompletionError
from fleet_worker.composing import compose_failure
from fleet_worker.conversing import Conversations
from fleet_worker.deadline import Deadline
from fleet_worker.hold import Hold
from fleet_worker.request import Addressed
from fleet_worker.terminal import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Ends requests that this worker has in hand and does not call for."""

    ledger: ports.Ledger
    conversations: Conversations
    replies: ports.Replies
    clock: Clock

    async def end(self, request: Addressed, hold: Hold, error: CompletionError) -> Terminal:
        """End the request with `error`, or with the answer that its conversation has already.

        Returns the terminal reply that counts, which was published; the hold is given back.

        Raises:
            LostError: it is in other hands, or the store can't be asked.
            UndeliveredError: nobody took the reply.
        """
        try:
            async with self.conversations.ending(hold) as known:
                return await self._tell(
                    request, hold, known or compose_failure(request, error, hold.attempts)
                )
        except CompletionError as unkept:
            return await self._tell(request, hold, compose_failure(request, unkept, hold.attempts))
        finally:
            await self.ledger.release(hold)

    async def _tell(self, request: Addressed, hold: Hold, terminal: Terminal) -> Terminal:
        stored = await self.ledger.commit(hold, terminal, Deadline(self.clock.monotonic()))
        await self.replies.finish(request, stored)
        return stored
