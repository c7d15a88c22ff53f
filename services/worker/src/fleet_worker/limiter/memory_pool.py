"""One pool in the memory of one process: who is in flight, and who is next."""

import math
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from fleet_contracts.grammar import Lane
from fleet_worker.limiter.memory_parts import Learned, Rates
from fleet_worker.limiter.terms import Ask, Place

LANE_WEIGHT = {Lane.INTERACTIVE: 9, Lane.BATCH: 1}
MOST_GRANTS = 200
CREDIT = 4
GUARDED_FROM, GUARDED_MS = 20, 60_000
Flow = tuple[Lane, str]


@dataclass(slots=True)
class Pool:
    """The state of one pool; `scripts/` says the same in the store, and why."""

    learned: Learned
    rates: Rates
    held: dict[str, tuple[Ask, float]] = field(default_factory=dict[str, tuple[Ask, float]])
    waiting: dict[Flow, OrderedDict[str, Ask]] = field(default_factory=dict[Flow, OrderedDict[str, Ask]])
    blocked: dict[Flow, float] = field(default_factory=dict[Flow, float])
    tags: dict[Flow, float] = field(default_factory=dict[Flow, float])
    finish: dict[Flow, float] = field(default_factory=dict[Flow, float])
    virtual: Counter[Lane] = field(default_factory=Counter[Lane])
    used: Counter[Lane] = field(default_factory=Counter[Lane])
    last_used: float = 0
    mean: float = 0
    """Tokens of a call, as reserved."""
    owed_at: float = -math.inf
    cool_until: float = 0
    took_ms: float | None = None
    counts: Counter[Lane | str] = field(default_factory=Counter["Lane | str"])

    def find(self, ask: Ask) -> bool:
        """Whether a wish waits here."""
        return ask.id in self.waiting.get((ask.lane, ask.tenant), ())

    def enqueue(self, ask: Ask, slots: int, now: float) -> None:
        """Put a wish at the end of its tenant's line; `slots`: how many calls may be in flight."""
        flow = (ask.lane, ask.tenant)
        if not self._lane_waits(ask.lane):
            # A lane that had nothing to do has no claim on the time it was away.
            self.used[ask.lane] = max(self.used[ask.lane], self.last_used)  # type: ignore[assignment]
        self.waiting.setdefault(flow, OrderedDict())[ask.id] = ask
        if flow not in self.tags and flow not in self.blocked:
            self.tags[flow] = self._start_tag(flow)
            if self.is_owed(flow) and len(self.held) >= slots - 1:
                self.owed_at = now

    def drop(self, ask: Ask) -> bool:
        """Take a wish out of the line."""
        flow = (ask.lane, ask.tenant)
        line = self.waiting.get(flow)
        if line is None or line.pop(ask.id, None) is None:
            return False
        if not line:
            del self.waiting[flow]
            self.tags.pop(flow, None)
            self.blocked.pop(flow, None)
        return True

    def place(self, ask: Ask, slots: int) -> Place:
        """How many are before a wish."""
        line = list(self.waiting[ask.lane, ask.tenant])
        return Place(line.index(ask.id), slots, self.took_ms or 0, len(self.tags))

    def hold(self, ask: Ask, now: float) -> None:
        """Count a call in flight."""
        self.held[ask.id] = (ask, now)
        self.counts.update((ask.lane, f"tenant {ask.tenant}"))

    def let_go(self, ask_id: str) -> tuple[Ask, float] | None:
        """Count it no more."""
        known = self.held.pop(ask_id, None)
        if known is not None:
            ask = known[0]
            self.counts.subtract((ask.lane, f"tenant {ask.tenant}"))
            self.counts += Counter()
            self.unblock(ask.tenant)
        return known

    def unblock(self, tenant: str) -> None:
        """Let a tenant's lines go on that its own limit held back."""
        for lane in Lane:
            flow = (lane, tenant)
            if self.blocked.pop(flow, None) is not None:
                self.tags[flow] = self._start_tag(flow)

    def hold_back(self, flow: Flow, until: float) -> None:
        """Skip a tenant's line until then."""
        self.tags.pop(flow, None)
        self.blocked[flow] = until

    def first(self, lane: Lane) -> tuple[Flow, Ask] | None:
        """The wish whose turn it is in a lane."""
        flows = [flow for flow in self.tags if flow[0] is lane]
        if not flows:
            return None
        flow = min(flows, key=lambda one: (self.tags[one], one[1]))
        return flow, next(iter(self.waiting[flow].values()))

    def lanes_in_turn(self) -> tuple[Lane, Lane]:
        """Which lane comes first now."""
        if self.used[Lane.BATCH] < self.used[Lane.INTERACTIVE]:
            return Lane.BATCH, Lane.INTERACTIVE
        return Lane.INTERACTIVE, Lane.BATCH

    def advance(self, flow: Flow, cost: float, weight: float) -> None:
        """Move a tenant's line on by what it was granted."""
        lane, tag = flow[0], self.tags[flow]
        self.virtual[lane] = max(self.virtual[lane], tag)  # type: ignore[assignment]
        self.finish[flow] = self.tags[flow] = tag + cost / weight
        if cost:
            self.mean += 0.05 * (cost - self.mean) if self.mean else cost
            self.used[lane] += cost / LANE_WEIGHT[lane]  # type: ignore[assignment]
            self.last_used = self.used[lane]

    def is_owed(self, flow: Flow) -> bool:
        """Whether a tenant had less than the others of its lane."""
        return flow[0] is Lane.INTERACTIVE and self.tags[flow] < self.virtual[flow[0]]

    def unguarded(self, slots: int, now: float) -> int:
        """How many of the slots are for everybody; `scripts/queue.lua` says whom the rest is for."""
        return slots - (slots >= GUARDED_FROM and now - self.owed_at < GUARDED_MS)

    def forget(self, now: float) -> None:
        """Forget what says no more than a limit never used, and a tenant that begins anew anyway."""
        self.rates.forget(now)
        oldest = {lane: self.virtual[lane] - CREDIT * self.mean for lane in Lane}
        self.finish = {
            flow: at for flow, at in self.finish.items() if flow in self.tags or at >= oldest[flow[0]]
        }

    def correct(self, ask: Ask, more: float, weight: float) -> None:
        """Let fairness see what was really used."""
        flow = (ask.lane, ask.tenant)
        for tags in (self.finish, self.tags):
            if flow in tags:
                tags[flow] += more / weight

    def slots(self, most: int) -> int:
        """How many calls may be in flight."""
        return max(1, math.floor(self.learned.limit(most)))

    def soonest(self) -> float | None:
        """When the first line that time holds back may go on."""
        times = [until for until in self.blocked.values() if until < math.inf]
        return min(times, default=None)

    def _start_tag(self, flow: Flow) -> float:
        return max(self.virtual[flow[0]] - CREDIT * self.mean, self.finish.get(flow, 0))

    def _lane_waits(self, lane: Lane) -> bool:
        return any(flow[0] is lane for flow in self.tags)
