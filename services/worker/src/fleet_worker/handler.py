"""The story of one request: claim, permit, upstream call, chunks, commit, terminal reply."""

import asyncio
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_contracts.codes import ErrorCode
from fleet_worker import ports
from fleet_worker.attempts import Attempts
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.composing import compose_failure, compose_result
from fleet_worker.deadline import Deadline
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.ports import ReplyStream
from fleet_worker.request import Request
from fleet_worker.retrying import Retrying
from fleet_worker.terminal import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Brings a request to its end, and says what the door should do with the delivery."""

    completions: ports.Completions
    limiter: ports.Limiter
    ledger: ports.Ledger
    replies: ports.Replies
    retrying: Retrying
    observer: Observer
    clock: Clock
    longest_s: float
    """How long a request may be held, from its delivery to its end, whatever its own deadline."""

    async def handle(self, request: Request) -> Outcome:
        """Answer the request once, however often it is asked; cancelling gives it back unanswered."""
        try:
            match await self._claim(request):
                case ports.Granted(attempts=before):
                    await self._answer(request, before)
                case ports.Final(terminal=terminal):
                    await self.replies.open(request).finish(terminal)
                case ports.Conflict():
                    await self._refuse_conflict(request)
                case ports.Busy():
                    return Outcome.HAND_BACK
        except ports.UndeliveredError:
            return Outcome.HAND_BACK
        return Outcome.DONE

    async def _claim(self, request: Request) -> ports.Claim:
        claim = await self.ledger.claim(request)
        try:
            async with asyncio.timeout(self.longest_s):
                while isinstance(claim, ports.Busy):
                    await claim.ended.wait()
                    claim = await self.ledger.claim(request)
        except TimeoutError:
            return claim
        return claim

    async def _answer(self, request: Request, before: int) -> None:
        stream = self.replies.open(request)
        attempts = Attempts(request, stream, before, self.clock, self.observer)
        try:
            terminal = await self._earn_terminal(request, stream, attempts)
            stored = await self.ledger.commit(request, terminal)
            await stream.finish(stored)
            attempts.ended(stored)
        finally:
            await stream.close()
            await self.ledger.release(request)

    async def _earn_terminal(self, request: Request, stream: ReplyStream, attempts: Attempts) -> Terminal:
        deadline = Deadline.of(request, self.clock, self.longest_s)
        try:
            completion = await self.retrying.call(
                lambda: self._attempt(request, attempts, deadline), attempts.worth_repeating, deadline
            )
            sent = await stream.settle()
            return compose_result(request, completion, sent, attempts.started, attempts.took())
        except CompletionError as error:
            await stream.settle()
            return compose_failure(request, error, attempts.started)
        except Exception as bug:  # noqa: BLE001  # even a bug must end the request, once
            return compose_failure(request, self.observer.broke(bug), attempts.started)

    async def _attempt(self, request: Request, attempts: Attempts, deadline: Deadline) -> Completion:
        with attempts.waiting_for_permit():
            permit = await self.limiter.acquire(request, deadline)
        try:
            attempts.begin()
            return await self.completions.complete(request, deadline, attempts.send)
        finally:
            permit.release()

    async def _refuse_conflict(self, request: Request) -> None:
        message = "The correlation ID belongs to another request. Use a new one for a new request."
        await self.replies.refuse(request.refused(ErrorCode.IDEMPOTENCY_CONFLICT, message))
