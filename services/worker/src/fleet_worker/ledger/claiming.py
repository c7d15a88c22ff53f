"""Getting a request into this worker's hands: asks, waits to be told, supersedes an owner that is gone."""

import asyncio
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.store import StoreUnavailableError
from fleet_contracts.codes import ErrorCode
from fleet_worker import ports
from fleet_worker.completion import CompletionError
from fleet_worker.hold import DeliveryLease, Facts, Hold, LostError
from fleet_worker.ledger.answers import Busy, Claimed, Differs, Ended, Taken
from fleet_worker.ledger.holds import Holds, cancelled
from fleet_worker.ledger.liveness import Liveness
from fleet_worker.ledger.notices import Notices
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.questions import Questions
from fleet_worker.ledger.record import Claimant, Owner
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.terminals import terminal_of
from fleet_worker.ledger.times import HOLD_S, LEASE_S, MOST_VANISHED, PROBE_S, Times
from fleet_worker.ledger.trust import Trust, forgiving, patient
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.request import Request, key_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Claiming:
    """Claims for one worker, with one question about a request on its way at a time."""

    records: Records
    holds: Holds
    liveness: Liveness
    notices: Notices
    observer: LedgerObserver
    trust: Trust
    times: Times
    clock: Clock
    owner: str
    questions: Questions
    hold_s: float = HOLD_S

    async def claim(self, request: Request, delivery: DeliveryLease) -> ports.Claim:
        """As `ports.Ledger.claim`."""
        why_not = _WhyNot()
        try:
            async with asyncio.timeout(self.hold_s):
                return await self._claim(request, delivery, why_not)
        except TimeoutError as error:
            delivery.lost()
            raise why_not.reason from error

    async def _claim(self, request: Request, delivery: DeliveryLease, why_not: "_WhyNot") -> ports.Claim:
        dead: Owner | None = None
        with self.notices.expecting(key_text(request.key)) as freed:
            while True:
                freed.clear()
                held = self.holds.get(request.key)
                if held is not None:
                    if held.identity != identity_of(request):
                        return ports.Conflict()
                    held.share(delivery)
                    await freed.wait()
                    continue
                # Its end is no news for those who only watch the owner: woken by it, two of them would ask in
                # turns without a pause, and neither would ever look twice.
                if request.key in self.questions:
                    await self.questions.answered(request.key)
                    continue
                try:
                    asked_at = self.clock.monotonic()
                    answer = await self._ask(request, dead)
                    if isinstance(answer, Taken):
                        return self._take(request, delivery, answer, asked_at)
                    if not isinstance(answer, Busy):
                        return self._ended(answer)
                    why_not.busy()
                    dead = await self.liveness.watch(request.key, answer, freed)
                except StoreUnavailableError as error:
                    why_not.away(error)
                    await self.clock.sleep(PROBE_S)
                    await self.trust.back()

    async def _ask(self, request: Request, dead: Owner | None) -> Claimed:
        now = self.clock.monotonic()
        claimant = Claimant(
            owner=self.owner,
            identity=identity_of(request),
            facts=Facts.of(request),
            # A store that has been there all along knows of every attempt, and the broker's count of less.
            attempts=request.deliveries if self.trust.forgets else 0,
            dead=dead,
            patient=patient(self.trust, now),
            forgiving=forgiving(self.trust, now),
        )
        with self.questions.about(request.key):
            return await self.records.claim(request.key, claimant)

    def _take(
        self, request: Request, delivery: DeliveryLease, taken: Taken, asked_at: float
    ) -> ports.Granted:
        if taken.superseded:
            self.observer.superseded(taken.vanished)
        hold = Hold(
            key=request.key,
            identity=identity_of(request),
            facts=Facts.of(request),
            fence=taken.fence,
            attempts=taken.attempts,
            void=taken.void or None,
            # Counted from before the question, so that it never ends later here than in the store.
            leased_until=asked_at + self.times.lease_s,
            vanished=taken.vanished,
        )
        hold.share(delivery)
        if taken.vanished >= MOST_VANISHED:
            hold.stop(quarantined(taken.vanished))
        if taken.cancelled:
            hold.stop(cancelled())
        self.holds.add(hold)
        return ports.Granted(hold)

    def _ended(self, answer: Ended | Differs) -> ports.Final | ports.AlreadyAnswered | ports.Conflict:
        if isinstance(answer, Differs):
            return ports.Conflict()
        if answer.body is None:
            return ports.AlreadyAnswered(answer.head.outcome, answer.head.digest)
        self.observer.replayed()
        return ports.Final(terminal_of(answer.head, answer.body))


class _WhyNot:
    """Why a claim has no answer yet: decides what becomes of the delivery when its time is over."""

    def __init__(self) -> None:
        self.reason: Exception = PostponedError(Reason.BUSY, LEASE_S)

    def busy(self) -> None:
        self.reason = PostponedError(Reason.BUSY, LEASE_S)

    def away(self, error: StoreUnavailableError) -> None:
        self.reason = LostError("the store is away: nothing may start")
        self.reason.__context__ = error


def identity_of(request: Request) -> str:
    """What a repeated request must share with the first."""
    asked = f"{request.type}:{request.digest}"
    return asked if request.conversation is None else f"{asked}:{request.conversation}"


def quarantined(vanished: int) -> CompletionError:
    """The end of a request that takes workers down with it."""
    message = (
        f"{vanished} workers were lost after they began an attempt at this request, so it is not tried "
        "again: tell the fleet's operators"
    )
    return CompletionError(ErrorCode.CRASH_LOOP, message, again=False)
