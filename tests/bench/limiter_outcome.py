"""What came of a run of the limiter's bench, out of the provider's log."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Event:
    """A line of the provider's log."""

    at: float
    what: str
    in_flight: int
    tenant: str
    tokens: int


@dataclass
class Outcome:
    """A run: what the provider saw, and what the processes say of their own waiting."""

    events: list[Event]
    reports: list[dict[str, Any]]
    started: float
    ended: float
    kills: list[float] = field(default_factory=list[float])
    taken_back: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """When the store took back how many leases of the dead."""

    def waits(self, tenant: str) -> list[float]:
        """How long the permits of tenants whose names begin so were waited for, sorted."""
        return sorted(
            wait
            for one in self.reports
            for name, waits in one["waits"].items()
            if name.startswith(tenant)
            for wait in waits
        )

    def scripts_a_call(self) -> float:
        """Questions to the store for one call of the upstream."""
        calls = sum(one["calls"] for one in self.reports)
        return sum(one["scripts"] for one in self.reports) / max(1, calls)

    def count(self, what: str) -> int:
        """Lines of the log."""
        return sum(event.what == what for event in self.events)

    def peak(self) -> int:
        """Most calls at once."""
        return max((event.in_flight for event in self.events), default=0)

    def busy_s(self, begins: float, ends: float) -> float:
        """Call seconds between two moments."""
        area, level, at = 0.0, 0, begins
        for event in self.events:
            if event.at > ends:
                break
            if event.at > begins:
                area += level * (event.at - at)
                at = event.at
            level = event.in_flight
        return area + level * (ends - at)

    def used(self, limit: int, begins: float, ends: float) -> float:
        """Mean in flight over the limit."""
        return self.busy_s(begins, ends) / (limit * (ends - begins))

    def first_full(self, limit: int) -> float:
        """When the limit was first reached."""
        return next((event.at for event in self.events if event.in_flight >= limit), self.ended)

    def held_by_the_dead_s(self, ends: float) -> tuple[float, float]:
        """Lease seconds between kills and the moments at which the store took them back; the longest wait.

        What the store has not taken back by the end is counted until then, a lease for each call cut off.
        """
        total, longest = 0.0, 0.0
        for number, kill in enumerate(self.kills):
            following = self.kills[number + 1] if number + 1 < len(self.kills) else ends
            back = [(at, leases) for at, leases in self.taken_back if kill <= at < following]
            for at, leases in back or [(following, self._cut_off_at(kill))]:
                total += leases * (at - kill)
                longest = max(longest, at - kill)
        return total, longest

    def _cut_off_at(self, kill: float) -> int:
        return sum(event.what == "broken" and kill <= event.at < kill + 1 for event in self.events)

    def windows(self, window_s: float, *, tokens: bool) -> list[float]:
        """What began in the window before each beginning, that one included."""
        began = [event for event in self.events if event.what == "began"]
        sums, total, first = list[float](), 0, 0
        for event in began:
            total += event.tokens if tokens else 1
            while event.at - began[first].at >= window_s:
                total -= began[first].tokens if tokens else 1
                first += 1
            sums.append(total)
        return sums
