"""The story of one request: claim, permit, upstream call, chunks, commit, terminal reply."""

from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_worker import permitting, ports
from fleet_worker.attempting import Attempting
from fleet_worker.attempts import Attempts
from fleet_worker.completion import CompletionError
from fleet_worker.composing import compose_failure, compose_result
from fleet_worker.conversing import Conversations, Turn
from fleet_worker.deadline import Deadline
from fleet_worker.hold import DeliveryLease, Hold, LostError
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.postponed import PostponedError
from fleet_worker.postponing import ParkingLot
from fleet_worker.request import Request
from fleet_worker.retrying import Retrying
from fleet_worker.terminal import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Brings a request to its end, and says what the door should do with the delivery."""

    attempting: Attempting
    limiter: permitting.Limiter
    ledger: ports.Ledger
    conversations: Conversations
    replies: ports.Replies
    parking: ParkingLot
    retrying: Retrying
    observer: Observer
    clock: Clock
    longest_s: float
    """How long a request may be held, from its delivery to its end, whatever its own deadline."""

    async def handle(self, request: Request, delivery: DeliveryLease) -> Outcome:
        """Answer the request once, however often it is asked; cancelling gives it back unanswered."""
        try:
            return await self._answer_or_park(request, delivery)
        except (LostError, ports.UndeliveredError):
            return Outcome.HAND_BACK

    async def _answer_or_park(self, request: Request, delivery: DeliveryLease) -> Outcome:
        try:
            self.parking.check_due(request)
            match await self.ledger.claim(request, delivery):
                case ports.Granted(hold=hold):
                    return Outcome.of(await self._answer(request, hold))
                case ports.Final(terminal=terminal):
                    await self.replies.finish(request, terminal)
                    # Whoever ended it may have been cut off before the burial.
                    return Outcome.of(terminal) if request.deliveries else Outcome.DONE
                case ports.AlreadyAnswered() as answered:
                    await self.replies.refuse(request.refused(answered.code, answered.message))
                case ports.Conflict() as conflict:
                    await self.replies.refuse(request.refused(conflict.code, conflict.message))
        except PostponedError as postponed:
            await self.parking.park(request, postponed)
        return Outcome.DONE

    async def _answer(self, request: Request, hold: Hold) -> Terminal:
        stream = self.replies.open(request)
        attempts = self.attempting.of(request, hold, stream)
        deadline = Deadline.of(request, self.clock, self.longest_s)
        turn = self.conversations.turn(request, hold)
        try:
            terminal = await self._earn_terminal(turn, attempts, deadline)
            await turn.append(terminal, deadline)
            stored = await self.ledger.commit(hold, terminal, deadline)
            await stream.finish(stored)
            attempts.ended(stored)
            await turn.ended()
            return stored
        finally:
            await stream.close()
            await turn.release()
            await self.ledger.release(hold)

    async def _earn_terminal(self, turn: Turn, attempts: Attempts, deadline: Deadline) -> Terminal:
        try:
            with self.parking.in_time(turn.request):
                if (known := await turn.begin(deadline)) is not None:
                    return known
                with attempts.at_work_on(turn.request):
                    completion = await self.retrying.call(
                        lambda: attempts.attempt(self.limiter, deadline), attempts.worth_repeating, deadline
                    )
            whole = turn.answered(attempts.succeeded(completion))
            sent = attempts.heard(await attempts.stream.settle())
            return compose_result(turn.request, whole, sent, attempts.started, attempts.stopwatch.took())
        except CompletionError as error:
            attempts.heard(await attempts.stream.settle())
            return compose_failure(turn.request, error, attempts.started)
        except (PostponedError, LostError):
            raise  # it goes on later or elsewhere, so nothing of it may be told from here
        except Exception as bug:  # noqa: BLE001  # even a bug must end the request, once
            return compose_failure(turn.request, self.observer.broke(bug), attempts.started)
