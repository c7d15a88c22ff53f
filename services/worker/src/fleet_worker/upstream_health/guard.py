"""Stands before the upstream: lets calls through while calling makes sense, for the whole fleet."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol

from fleet_chassis.store import StoreUnavailableError
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.ports import Completions
from fleet_worker.postponed import OF_THE_ACCOUNT, PostponedError, Reason
from fleet_worker.request import Request, RequestKey
from fleet_worker.upstream_health.account import Standing
from fleet_worker.upstream_health.calls import Call
from fleet_worker.upstream_health.observing import HealthObserver
from fleet_worker.upstream_health.policy import HealthPolicy
from fleet_worker.upstream_health.record import Admission, Change, Go, HealthRecord, Look, Wait
from fleet_worker.upstream_health.signs import Sign
from fleet_worker.upstream_health.waits import turned_away_s, wait_s

MAX_PAID = 10_000
_TROUBLE = {
    ErrorCode.UNAUTHORIZED: "DeepSeek refuses the fleet's API key: its operators must set a valid one",
    ErrorCode.INSUFFICIENT_BALANCE: "the DeepSeek account is empty: the fleet's operators must top it up",
    ErrorCode.UPSTREAM_UNAVAILABLE: "DeepSeek fails on this model for now: ask again later",
}


class LooksAtAccount(Protocol):
    """Finds out how the account stands."""

    async def look(self) -> Standing:
        """How it stands now; never raises."""
        ...


class Stops(Protocol):
    """Is told of each model whether its calls go."""

    def goes(self, model: str) -> None:
        """A call of `model` was let through."""
        ...

    def stopped(self, model: str, for_s: float) -> None:
        """No call of `model` makes sense for `for_s` seconds."""
        ...


class Guard:
    """Breaker, account pause and retry budget before one account of an upstream.

    What the record can't say because its store is down stops no call: the limiter and the ledger do that.

    Args:
        completions: makes the calls.
        record: what the fleet knows.
        account: looked at while it is paused.
        policy: the numbers.
        chance: spreads those who come back, and names calls so that no two in the fleet are called the same.
        observer: told of every change.
        stops: told of each model whether its calls go.
    """

    def __init__(
        self,
        completions: Completions,
        record: HealthRecord,
        account: LooksAtAccount,
        policy: HealthPolicy,
        chance: random.Random,
        observer: HealthObserver,
        stops: Stops,
    ) -> None:
        self._completions = completions
        self._record = record
        self._account = account
        self._policy = policy
        self._chance = chance
        self._observer = observer
        self._stops = stops
        self._paid: OrderedDict[RequestKey, int] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()
        self._saw_pause = False

    @asynccontextmanager
    async def admitted(self, request: Request) -> AsyncGenerator[Completions]:
        """The way to make one call, for the length of a block."""
        call = self._call(request.model, self._paid.pop(request.key, 1))
        await self._admit(call)
        try:
            yield call
        finally:
            call.left()

    def postpones(self, error: CompletionError, turned_away: int = 0) -> PostponedError | None:
        """How a request is put aside whose call ended in `error`; None where it is not.

        A call that is turned away is repeated a few times, then waited out, longer each time.
        """
        if error.code in OF_THE_ACCOUNT:
            return PostponedError(Reason.PAUSED, self._policy.look_s, error)
        if error.retry_after_s is not None and error.retry_after_s > self._policy.held_s:
            seconds = min(error.retry_after_s, self._policy.longest_retry_after_s)
            return PostponedError(Reason.RETRY_AFTER, seconds, error)
        if error.turned_away and turned_away and not turned_away % self._policy.held_refusals:
            return self._waits_out(error, turned_away)
        return None

    async def may_repeat(self, request: Request, error: CompletionError) -> bool:
        """Whether the retry budget holds another call of `request`.

        Raises:
            PostponedError: it does not, and no call of its model makes sense now: nobody's is made. Or it
                does not, and the call was turned away.
        """
        throttled = error.code is ErrorCode.RATE_LIMITED
        cost = self._policy.cost_throttled if throttled else self._policy.cost
        try:
            granted = await self._record.spend(self._new_call(), cost)
        except StoreUnavailableError:
            granted = True
        if granted:
            self._paid[request.key] = cost
            if len(self._paid) > MAX_PAID:
                self._paid.popitem(last=False)
        self._observer.asked_to_repeat(granted=granted)
        if not granted:
            # Many calls that break at once open the breaker and spend the budget: they wait as others do.
            call = self._call(request.model, 0)
            await self._admit(call)
            call.left()
            if error.turned_away:
                raise self._waits_out(error, request.turned_away + self._policy.held_refusals)
        return granted

    async def aclose(self) -> None:
        """Wait until the record knows how the last calls ended."""
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _call(self, model: str, credit: int) -> Call:
        return Call(
            id=self._new_call(),
            model=model,
            probe=False,
            completions=self._completions,
            tell=self._told,
            later=self._later,
            credit=credit,
        )

    async def _admit(self, call: Call) -> None:
        admission = await self._ask(call, past_account=False)
        if isinstance(admission, Look):
            call.of_account = await self._look(call, admission)
            admission = await self._ask(call, past_account=call.of_account)
        if not isinstance(admission, Go):
            raise self._postponed(admission, call.model)
        call.probe = admission.probe
        self._note_account("")
        self._stops.goes(call.model)

    async def _ask(self, call: Call, *, past_account: bool) -> Admission:
        try:
            return await self._record.admit(call.model, call.id, past_account=past_account)
        except StoreUnavailableError:
            return Go()

    async def _look(self, call: Call, paused: Look) -> bool:
        """Look at the paused account; True where only the call itself can find out."""
        standing = await self._account.look()
        match standing:
            case Standing.UNTOLD:
                return True
            case Standing.WELL:
                await self._heal()
                return False
            case _:
                code = standing.code or ErrorCode(paused.code)
                await self._pause(call, code)
                raise self._postponed(Wait(self._policy.look_s, paused.down_s, code), call.model)

    async def _told(self, call: Call, sign: Sign, error: CompletionError | None) -> None:
        if error is not None and error.code in OF_THE_ACCOUNT:
            await self._pause(call, error.code)
        elif call.of_account and sign is Sign.WELL:
            await self._heal()
        credit = call.credit if error is None and sign is Sign.WELL else 0
        try:
            change = await self._record.report(call.model, call.id, sign, probe=call.probe, credit=credit)
        except StoreUnavailableError:
            return
        if change is not Change.NOTHING:
            self._observer.breaker_changed(call.model, change)

    async def _pause(self, call: Call, code: ErrorCode) -> None:
        try:
            first = await self._record.pause(call.id, code)
        except StoreUnavailableError:
            first = True
        self._saw_pause = True
        self._observer.account_paused(code, first=first)

    async def _heal(self) -> None:
        try:
            first = await self._record.heal()
        except StoreUnavailableError:
            first = False
        self._observer.account_well(first=first)

    def _waits_out(self, error: CompletionError, turned_away: int) -> PostponedError:
        rounds = turned_away // self._policy.held_refusals
        seconds = turned_away_s(rounds, self._chance.uniform(1, 1 + self._policy.spread))
        return PostponedError(Reason.TURNED_AWAY, max(seconds, error.retry_after_s or 0.0), error)

    def _postponed(self, admission: Admission, model: str) -> PostponedError:
        # Two looks in a row would mean that another worker paused the account again in between.
        wait = admission if isinstance(admission, Wait) else Wait(self._policy.look_s, 0, "")
        paused = isinstance(admission, Look) or bool(wait.code)
        reason = Reason.PAUSED if paused else Reason.BREAKER
        code = ErrorCode(wait.code) if wait.code else ErrorCode.UPSTREAM_UNAVAILABLE
        self._observer.postponed(reason)
        self._stops.stopped(model, wait.left_s)
        self._note_account(wait.code)
        seconds = wait_s(wait.left_s, wait.down_s, self._chance.uniform(1, 1 + self._policy.spread))
        return PostponedError(reason, seconds, CompletionError(code, _TROUBLE[code], again=False))

    def _new_call(self) -> str:
        return f"{self._chance.getrandbits(96):024x}"

    def _note_account(self, code: str) -> None:
        """What other workers found out about the account shows in this one's metrics too."""
        if code:
            self._observer.account_paused(code, first=False)
        elif self._saw_pause:
            self._observer.account_well(first=False)
        self._saw_pause = bool(code)

    def _later(self, telling: Awaitable[None]) -> None:
        task = asyncio.ensure_future(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
