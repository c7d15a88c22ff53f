"""The limiter as the worker uses it: one permit for each upstream call, over the whole fleet."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import count

from fleet_chassis.clock import Clock
from fleet_chassis.logging import Log
from fleet_chassis.store import StoreUnavailableError
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.limiter.balance import AsksBalance, BalanceWatch
from fleet_worker.limiter.crowding import Crowding
from fleet_worker.limiter.desk import Desk
from fleet_worker.limiter.estimating import Actual, Call, Estimator
from fleet_worker.limiter.hints import lesson_of
from fleet_worker.limiter.losing import ending_with
from fleet_worker.limiter.observing import LimiterObserver
from fleet_worker.limiter.possessions import Wish
from fleet_worker.limiter.rules import IDLE_MODEL, Rules, account_of
from fleet_worker.limiter.terms import Ask, Book, Ended, Granted, Place, Refused, Settlement, Waits
from fleet_worker.postponed import PostponedError
from fleet_worker.prices import NANO
from fleet_worker.request import Request

OVERDUE_S = 60.0
"""After the longest call should have ended, before its permit is taken for forgotten."""
Tell = Callable[[int, float | None], None]
"""Takes how many are before a request, and about how many seconds it will wait where that is known."""


class FleetPermit:
    """The right to have one upstream call in flight."""

    def __init__(self, ask: Ask, request: Request, limiter: "FleetLimiter", since_ms: int) -> None:
        self._ask = ask
        self._request = request
        self._limiter = limiter
        self._since_ms = since_ms

    @property
    def account(self) -> str:
        """Whose pool it is of."""
        return account_of(self._ask.pool)

    def kept(self) -> AbstractContextManager[None]:
        """The length of the call; ends it with a CompletionError where the permit is taken away."""
        return ending_with(self._limiter.desk.pool(self._ask.pool), self._ask.id)

    def give_back(self) -> None:
        """In place of `release`, where no call was made; never waits."""
        self._limiter.desk.give_back(self._ask)

    def release(self, ended: Completion | CompletionError | None, received: float = 0) -> None:
        """Give it back; never waits.

        `ended`: how the call ended, None where it was cut off here. `received`: about how many output tokens
        had come by then.
        """
        call = Call(self._since_ms, received, self._ask.worst, self.account)
        self._limiter.settle(self._ask, self._request, ended, call)


class FleetLimiter:
    """Takes permits from a book and gives them back with what was learned.

    Args:
        book: where permits are written down.
        worker: as the book knows this process.
        rules: limits and times.
        estimator: what a call will probably use, and at most.
        clock: the time.
        observer: is told what operators should see.
        chance: spreads what would otherwise happen at once everywhere.
    """

    def __init__(
        self,
        *,
        book: Book,
        worker: str,
        rules: Rules,
        estimator: Estimator,
        clock: Clock,
        observer: LimiterObserver,
        chance: random.Random,
    ) -> None:
        self._rules = rules
        self._worker = worker
        self._estimator = estimator
        self._clock = clock
        self._chance = chance
        self._numbers = count(1)
        self._observer = observer
        self._crowding = Crowding(rules.waiters, clock)
        self.desk = Desk(book, rules.pool(IDLE_MODEL), clock, observer, rules.longest_s + OVERDUE_S)

    async def acquire(
        self, request: Request, deadline: Deadline, tell: Tell | None = None, account: str | None = None
    ) -> FleetPermit:
        """Take a permit for one upstream call; waits for it in line until the deadline.

        Args:
            request: who asks, on which lane, for which model.
            deadline: when nobody wants the answer any more.
            tell: is told now and then how many are before the request.
            account: who makes the call; the rules' own where None.

        Raises:
            CompletionError: `deadline_exceeded` or `budget_exceeded`; nothing is held.
            PostponedError: enough of its tenant wait here for this model already; nothing is held.
        """
        if deadline.passed(self._clock):
            # A free permit is taken without waiting, so the clock below would never be asked.
            raise _too_late()
        wish, began = self._wish(request, tell, account), self._clock.monotonic()
        try:
            async with asyncio.timeout(deadline.left_s(self._clock)):
                await self._stand_in_line(wish)
        except BaseException as error:
            self.desk.leave(wish)
            if isinstance(error, PostponedError):
                self._observer.postponed()
            if isinstance(error, TimeoutError):
                raise _too_late() from error
            raise
        self._observer.obtained(request.lane, self._clock.monotonic() - began)
        return FleetPermit(wish.ask, request, self, self._clock.now_ms())

    def settle(
        self, ask: Ask, request: Request, ended: Completion | CompletionError | None, call: Call
    ) -> None:
        """Give a permit back, with what the call used and what its end says about the limits."""
        error = ended if isinstance(ended, CompletionError) else None
        lesson = lesson_of(error, self._chance)
        actual = self._actual(request, ended, call)
        settlement = Settlement(
            ended=lesson.ended if ended is not None else Ended.OTHER,
            tokens=actual.tokens,
            spent=actual.spent,
            told=lesson.told,
            cool_ms=lesson.cool_ms,
            pause_ms=lesson.pause_ms,
            used=actual.used,
        )
        # First of all: whatever goes wrong in telling of it, the permit is back.
        self.desk.release(ask, settlement)
        self._observer.ended(settlement.ended, settlement.spent, settlement.used)
        if lesson.told:
            self._observer.taught(ask.pool, lesson.told)

    def _actual(self, request: Request, ended: Completion | CompletionError | None, call: Call) -> Actual:
        try:
            return self._estimator.actual(request, ended, call)
        except Exception as error:  # noqa: BLE001 - whatever the upstream told of its use, the permit goes back
            self._observer.broke(error)
            return Actual()

    def has_line(self, account: str, model: str) -> bool:
        """Whether calls of this worker wait for a permit there."""
        return bool(self.desk.pool(self._rules.pool(model, account)).wishes)

    def balance_watch(
        self, provider: AsksBalance, low: float, log: Log, account: str | None = None
    ) -> BalanceWatch:
        """Lowers the limits of an account as its money runs out; `low` in US dollars."""
        whose = account or self._rules.account
        return BalanceWatch(
            provider,
            lambda expected: self.desk.teach(whose, expected),
            lambda pool: self._rules.limits_of(pool).concurrency,
            low,
            lambda dollars: self._observer.balance(whose, dollars),
            log,
        )

    async def _stand_in_line(self, wish: Wish) -> None:
        if await self._is_granted_at_once(wish):
            return
        try:
            # Only who really waits takes a place: a burst that finds permits free is never put aside.
            async with self._crowding.place(wish.ask):
                await self._until_granted(wish)
        except PostponedError:
            if not (wish.answer.done() and wish.answer.result()):
                raise

    async def _until_granted(self, wish: Wish) -> None:
        while not await wish.answer:
            wish.answer = asyncio.get_running_loop().create_future()
            if await self._is_granted_at_once(wish):
                return

    async def _is_granted_at_once(self, wish: Wish) -> bool:
        try:
            said = await self.desk.acquire(wish)
        except StoreUnavailableError:
            # The wish stays: the beat states it when the store is back.
            self.desk.use_spare()
            return False
        if isinstance(said, Refused):
            self._observer.too_dear()
            raise _too_expensive(said)
        if isinstance(said, Waits):
            self._crowding.seen(wish.ask, said.place)
            wish.stands_at(said.place)
        return isinstance(said, Granted)

    def _wish(self, request: Request, tell: Tell | None, account: str | None) -> Wish:
        pool = self._rules.pool(request.model, account)
        expected = self._estimator.expected(request, account_of(pool))
        ask = Ask(
            id=f"{self._worker}.{next(self._numbers)}",
            pool=pool,
            tenant=request.tenant,
            lane=request.lane,
            tokens=expected.tokens,
            worst=expected.worst,
        )
        return Wish(ask, asyncio.get_running_loop().create_future(), _told(tell))


def _told(tell: Tell | None) -> Callable[[Place], None] | None:
    if tell is None:
        return None
    return lambda place: tell(place.ahead, place.estimate_s())


def _too_late() -> CompletionError:
    message = "the deadline passed before the request got a permit: ask again with more time"
    return CompletionError(ErrorCode.DEADLINE_EXCEEDED, message, again=False)


def _too_expensive(refused: Refused) -> CompletionError:
    resets = datetime.fromtimestamp(refused.resets_at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    message = (
        f"the tenant has used {_dollars(refused.spent)} of its {_dollars(refused.limit)} US dollars for "
        f"this {refused.period}, and this request could cost more than what is left: lower max_tokens, "
        f"wait until {resets}, or have the budget raised"
    )
    return CompletionError(ErrorCode.BUDGET_EXCEEDED, message, again=False)


def _dollars(nano: int) -> str:
    whole, _, part = f"{nano / NANO:.6f}".rstrip("0").partition(".")
    return f"{whole}.{part:0<2}"
