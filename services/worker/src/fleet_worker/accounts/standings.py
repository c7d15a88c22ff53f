"""What this worker knows of which account goes: a memory of what the guards said last, for choosing by it."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from fleet_chassis.clock import Clock
from fleet_worker.upstream_health.standstill import Standstill

SHORTEST_S = 1.0
"""An account that was found stopped is not chosen again at once, however soon it may be tried."""
DOUBT_S = 2.0
"""For so long after a failed call, another upstream goes first."""
MOST_MODELS = 1000
_ALL = ""


class Standings:
    """By account and model, until when calls make no sense.

    Args:
        clock: The time.
        standstill: Is told of models that no account can be called for.
        serving: The accounts that serve a model.
    """

    def __init__(self, clock: Clock, standstill: Standstill, serving: Callable[[str], Sequence[str]]) -> None:
        self._clock = clock
        self.standstill = standstill
        self._serving = serving
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._doubts: OrderedDict[tuple[str, str], float] = OrderedDict()

    def of(self, account: str) -> "OneStanding":
        """What the guard of one account tells."""
        return OneStanding(self, account)

    def goes(self, account: str, model: str) -> None:
        """A call was let through."""
        self._until.pop((account, model), None)
        self._until.pop((account, _ALL), None)
        self.standstill.goes(model)

    def stopped(self, account: str, model: str, for_s: float) -> None:
        """No call of a model makes sense for `for_s` seconds with this account."""
        self._note(self._until, (account, model), max(for_s, SHORTEST_S))
        self._tell(model)

    def paused(self, account: str, model: str, for_s: float) -> None:
        """No call at all makes sense with this account, as one of this model found out."""
        self._note(self._until, (account, _ALL), max(for_s, SHORTEST_S))
        self._tell(model)

    def left_s(self, account: str, model: str) -> float:
        """Seconds for which an account is not to be called; 0 where it goes."""
        until = max(self._until.get((account, model), 0.0), self._until.get((account, _ALL), 0.0))
        return max(0.0, until - self._clock.monotonic()) if until else 0.0

    def doubt(self, upstream: str, model: str) -> None:
        """A call failed there."""
        self._note(self._doubts, (upstream, model), DOUBT_S)

    def is_doubted(self, upstream: str, model: str) -> bool:
        """Whether a call failed there just now."""
        return self._doubts.get((upstream, model), 0.0) > self._clock.monotonic()

    def _tell(self, model: str) -> None:
        left = [self.left_s(account, model) for account in self._serving(model)]
        if left and min(left) > 0:
            self.standstill.stopped(model, min(left))

    def _note(self, kept: OrderedDict[tuple[str, str], float], key: tuple[str, str], for_s: float) -> None:
        kept[key] = self._clock.monotonic() + for_s
        kept.move_to_end(key)
        if len(kept) > MOST_MODELS:
            kept.popitem(last=False)


class OneStanding:
    """One account's part of the standings, as its guard sees it."""

    def __init__(self, standings: Standings, account: str) -> None:
        self._standings = standings
        self._account = account

    def goes(self, model: str) -> None:
        """A call of `model` was let through."""
        self._standings.goes(self._account, model)

    def stopped(self, model: str, for_s: float) -> None:
        """No call of `model` makes sense for `for_s` seconds."""
        self._standings.stopped(self._account, model, for_s)
