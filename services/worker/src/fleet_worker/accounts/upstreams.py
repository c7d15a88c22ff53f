"""All accounts as one upstream: a permit in the pool of the chosen account, and the way past its guard."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from fleet_worker.accounts.choosing import Chooser
from fleet_worker.accounts.standings import Standings
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import FleetLimiter
from fleet_worker.limiter.limiter import FleetPermit, Tell
from fleet_worker.observing import Observer
from fleet_worker.ports import Completions
from fleet_worker.postponed import OF_THE_ACCOUNT, PostponedError, Reason
from fleet_worker.request import Request
from fleet_worker.upstream_health import Guard
from fleet_worker.upstream_health.signs import Sign, sign_of

_ELSEWHERE = frozenset({Reason.PAUSED, Reason.BREAKER})


class ChosenLimiter:
    """Takes each permit in the pool of the account that is to make the call."""

    def __init__(self, limiter: FleetLimiter, chooser: Chooser) -> None:
        self._limiter = limiter
        self._chooser = chooser

    async def acquire(self, request: Request, deadline: Deadline, tell: Tell | None = None) -> FleetPermit:
        """Choose an account and take its permit; as `FleetLimiter.acquire`.

        Raises:
            CompletionError: moreover, no account can make such a call.
        """
        return await self._limiter.acquire(request, deadline, tell, self._chooser.choose(request))


class Upstreams:
    """Passes each call on to the guard of its account, and hands over what that account can't take.

    Args:
        guards: By account.
        upstream_of: An account's upstream.
        chooser: Knows who else could take a call.
        standings: Is told what came of calls.
        observer: Is told of what was handed over.
        look_s: Seconds until a refused account is looked at again.
    """

    def __init__(
        self,
        guards: Mapping[str, Guard],
        upstream_of: Callable[[str], str],
        chooser: Chooser,
        standings: Standings,
        observer: Observer,
        look_s: float,
    ) -> None:
        self._guards = guards
        self._upstream_of = upstream_of
        self._chooser = chooser
        self._standings = standings
        self._observer = observer
        self._look_s = look_s

    def admitted(self, request: Request, account: str) -> AbstractAsyncContextManager[Completions]:
        """As `Guard.admitted`, of the account."""
        return self._guards[account].admitted(request)

    def postpones(self, error: CompletionError, turned_away: int) -> PostponedError | None:
        """As `Guard.postpones`, which is the same for all accounts."""
        return next(iter(self._guards.values())).postpones(error, turned_away)

    async def may_repeat(self, request: Request, error: CompletionError, account: str) -> bool:
        """As `Guard.may_repeat`, by the retry budget of the account's upstream."""
        try:
            return await self._guards[account].may_repeat(request, error)
        except PostponedError as postponed:
            if self.hands_over(request, account, postponed):
                return True
            raise

    def hands_over(self, request: Request, account: str, trouble: CompletionError | PostponedError) -> bool:
        """Whether another account takes what this one can't: it is refused, paused, or its breaker open."""
        if isinstance(trouble, PostponedError):
            elsewhere = trouble.reason in _ELSEWHERE
        else:
            elsewhere = trouble.code in OF_THE_ACCOUNT
            if elsewhere:
                self._standings.paused(account, request.model, self._look_s)
            elif sign_of(trouble) is Sign.ILL:
                self._standings.doubt(self._upstream_of(account), request.model)
        if not elsewhere or not self._chooser.goes_elsewhere(request, account):
            return False
        self._observer.handed_over(account)
        return True
