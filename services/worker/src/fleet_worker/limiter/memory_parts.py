"""The limits of one process, each by itself: rates, money, and what the provider teaches."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PATIENCE, SHORT_PATIENCE, MOST_PATIENCE, QUIET_MS = 100, 10, 400, 300
CUT, FASTER, SLOWER = 0.9, 0.5, 0.25
BUSY_NEW, BUSY_RARE, BUSY_CUT_MS = 0.02, 0.1, 1000
BIGGEST = 0.5
MOST_PERIODS = 64
"""More than the days of a month and the months that they may belong to."""


@dataclass(slots=True)
class Rates:
    """Weighted generic cell rate algorithm: at most the limit starts in any window, wherever it begins.

    See scripts/rates.lua, which says why.
    """

    window_ms: float
    burst_ms: float
    arrivals: dict[str, float] = field(default_factory=dict[str, float])
    biggest: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    """The biggest cost, and until when it counts."""

    def wait_ms(self, name: str, limit: int | None, cost: float, now: float) -> float:
        """How long until `cost` fits."""
        if not limit:
            return 0
        interval, most = self._pace(name, limit, now)
        at = self.arrivals.get(name)
        if cost <= most:
            return max((at or 0) - now, 0) - (most - cost) * interval
        return 0 if at is None else at - now + min((cost - most) * interval, self.window_ms)

    def charge(self, name: str, limit: int | None, cost: float, now: float) -> None:
        """Count `cost`."""
        if not limit:
            return
        if cost >= self._pace(name, limit, now)[1]:
            self.biggest[name] = (cost, now + self.window_ms)
        interval, _ = self._pace(name, limit, now)
        self.arrivals[name] = max(self.arrivals.get(name, 0), now) + cost * interval

    def settle(self, name: str, limit: int | None, more: float, since: float, now: float) -> None:
        """Correct a charge: debts always, refunds only inside the window that they were charged in."""
        if limit and (more > 0 or now - since < self.window_ms):
            interval, _ = self._pace(name, limit, now)
            self.arrivals[name] = self.arrivals.get(name, now) + more * interval

    def forget(self, now: float) -> None:
        """Drop what says no more than a limit that was never used."""
        self.arrivals = {name: at for name, at in self.arrivals.items() if at > now - self.window_ms}
        self.biggest = {name: known for name, known in self.biggest.items() if known[1] > now}

    def _pace(self, name: str, limit: int, now: float) -> tuple[float, float]:
        most = self.burst_ms / (self.window_ms + self.burst_ms) * limit
        cost, until = self.biggest.get(name, (0, 0))
        big = min(cost, BIGGEST * limit) if until > now else 0
        if big > most:
            return self.window_ms / (limit - big), big
        return (self.window_ms + self.burst_ms) / limit, most


@dataclass(slots=True)
class Learned:
    """The limit that refusals teach; see scripts/learning.lua, which says why."""

    start: int
    known: float | None = None
    still: bool = False
    grown: float = 0
    cut: float | None = None
    told: int = 0
    room: int = 0
    oks: int = 0
    patience: int = PATIENCE
    busy: float = 0
    eased: float = 0

    def limit(self, most: int) -> float:
        """Calls at once, of `most` that are configured."""
        return min(most, self.start if self.known is None else self.known)

    def answered(self, since: float, in_flight: int, most: int, now: float) -> None:
        """A call was let in and answered."""
        self._note_busy(0)
        if self.busy > BUSY_RARE:
            return
        limit = self.limit(most)
        if in_flight + 1 < 0.8 * limit or limit >= most:
            return
        if not self.still:
            if since >= self.grown and self.room:
                self._climb(limit, most, now)
            elif since >= self.grown:
                self.known = min(most, limit + (FASTER if self.cut is None else SLOWER))
            return
        self.oks += 1
        if self.oks >= self.patience or now - (self.cut or 0) >= self.patience * QUIET_MS:
            self.known, self.still, self.grown, self.oks = int(limit) + 1, False, now, 0

    def warned(self, expected: int, most: int, now: float) -> None:
        """The provider is expected to let no more than `expected` calls run."""
        if expected < self.limit(most):
            self.known, self.still, self.oks, self.cut = max(1, expected), True, 0, now

    def overloaded(self, most: int, now: float) -> bool:
        """A call was refused by an overloaded provider; whether everybody should pause."""
        self._note_busy(1)
        if self.busy <= BUSY_RARE or now - self.eased < BUSY_CUT_MS:
            return False
        self.known, self.eased, self.grown = max(1, self.limit(most) * CUT), now, now
        return True

    def refused(self, since: float, in_flight: int, most: int, told: int, now: float) -> None:
        """A call was refused for too many at once; `told` is the limit it named, or 0."""
        ours, limit = in_flight + 1, self.limit(most)
        first_of_its_round = since > (self.cut or 0)
        shared = told > ours * 1.25 + 2
        if told and not shared:
            limit = min(limit, told)
        elif first_of_its_round:
            limit = min(limit, ours) * CUT
        self.known, self.still, self.oks = max(1, limit), True, 0
        if first_of_its_round:
            again = self.room > 0 if shared else told > 0 and told == self.told
            first = SHORT_PATIENCE if shared else PATIENCE
            self.patience = min(MOST_PATIENCE, self.patience * 2) if again else first
            self.cut = now
            self.room = told if shared else self.room
        if told:
            self.told, self.room = told, self.room if shared else 0

    def _climb(self, limit: float, most: int, now: float) -> None:
        if limit + 1 < self.room:
            self.known = min(most, limit + 1)
            return
        self.known, self.still, self.oks, self.cut = min(most, self.room), True, 0, now
        self.patience, self.room = PATIENCE, 0

    def _note_busy(self, busy: int) -> None:
        share = self.busy + BUSY_NEW * (busy - self.busy)
        self.busy = 0 if share < 0.001 else share  # noqa: PLR2004 - as in the store, where it saves a write


@dataclass(slots=True)
class Purse:
    """A tenant's money: spent in each day and month, and reserved; in nano-dollars."""

    spent: dict[str, int] = field(default_factory=dict[str, int])
    reserved: int = 0

    def settle(self, worst: int, spent: int, since: float) -> None:
        """Charge what a call cost, on the day it was sent."""
        self.reserved -= worst
        for period in periods_of(since):
            self.spent[period] = self.spent.get(period, 0) + spent
        while len(self.spent) > MOST_PERIODS:
            del self.spent[min(self.spent)]


def periods_of(at_ms: float) -> tuple[str, str]:
    """The names of a moment's day and month (UTC)."""
    day = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
    return day, day[:7]


def resets_at_ms(period: str, at_ms: float) -> int:
    """When the `day` or `month` of a moment ends."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end = (
        at + timedelta(days=1) if period == "day" else (at.replace(day=1) + timedelta(days=32)).replace(day=1)
    )
    return round(end.timestamp() * 1000)
