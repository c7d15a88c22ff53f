"""What a seed makes happen: workers and requests, the upstream's weather, and which faults come when."""

import random
from dataclasses import dataclass, field
from enum import StrEnum

from fleet_contracts.grammar import OnBreak
from simulation.caller import Ask
from simulation.upstream import Fate, Weather

TALK = "talk"
"""The conversation that turns are of."""
SOON_S = 3.0
"""Until a fault has shown what it does, or a dead worker has its successor."""


class Fault(StrEnum):
    """What can go wrong beside the upstream."""

    KILL = "kill"
    FREEZE = "freeze"
    DRAIN = "drain"
    RESET_DOOR = "reset-door"
    CUT_DOOR = "cut-door"
    RESET_PUBLISHERS = "reset-publishers"
    CUT_PUBLISHERS = "cut-publishers"
    ISOLATE = "isolate"
    """Broker and store are out of reach; the upstream is not."""
    BROKER_RESTART = "broker-restart"
    CUT_STORE = "cut-store"
    STORE_RESTART = "store-restart"
    STORE_BREAKS = "store-breaks"
    STORE_FAILOVER = "store-failover"
    STORE_FLUSH = "store-flush"
    REPLY_QUEUE_GONE = "reply-queue-gone"
    REPLY_QUEUE_FULL = "reply-queue-full"
    CLOCK_JUMP = "clock-jump"


FORGETFUL = frozenset({Fault.STORE_FAILOVER, Fault.STORE_FLUSH})
"""The store loses records: what was told before may be told in another way once more."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault."""

    fault: Fault
    at_s: float
    lasts_s: float
    slot: int
    """Which worker, or which request, it is for."""
    steps: int
    """After how many more steps a killed worker dies."""

    def __str__(self) -> str:
        return f"{self.at_s:.2f} s {self.fault} of {self.slot} for {self.lasts_s:.1f} s, {self.steps} steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that is decided before a run begins."""

    workers: int
    concurrency: int
    limit: int
    asks: tuple[Ask, ...]
    weather: Weather
    troubles: tuple[Trouble, ...]
    shuffled: bool
    seed: int

    @property
    def forgets(self) -> bool:
        """Whether the store may lose what it was told."""
        return any(trouble.fault in FORGETFUL for trouble in self.troubles)

    def has_had(self, now: float, *faults: Fault) -> bool:
        """Whether any of these has come by now."""
        return any(trouble.fault in faults and trouble.at_s <= now for trouble in self.troubles)

    @property
    def last_s(self) -> float:
        """When the last of it begins."""
        asked = [
            moment
            for ask in self.asks
            for moment in (ask.at_s, *ask.again_at_s, ask.cancel_at_s or 0, ask.differs_at_s or 0)
        ]
        return max(*asked, *(trouble.at_s + SOON_S for trouble in self.troubles), 0.0)

    def has(self, *faults: Fault) -> bool:
        """Whether any of these comes."""
        return any(trouble.fault in faults for trouble in self.troubles)


CALM = Weather({Fate.WHOLE: 1.0})
ROUGH = Weather(
    {
        Fate.WHOLE: 4.0,
        Fate.CUT: 2.0,
        Fate.FULL: 1.0,
        Fate.DOWN: 1.0,
        Fate.LATER: 0.3,
        Fate.EMPTY: 0.3,
        Fate.SILENT: 0.5,
        Fate.UNREACHABLE: 0.5,
    }
)
_LASTS = (0.3, 2.0, 8.0, 18.0, 40.0)
_OFTEN = (Fault.KILL, Fault.FREEZE, Fault.ISOLATE, Fault.CUT_DOOR, Fault.DRAIN)
"""What makes two workers believe that they have one request."""


@dataclass(slots=True)
class _Drawing:
    chance: random.Random
    slots: int = field(init=False)
    talks: bool = field(init=False)
    """Whether some of the requests are turns of one conversation."""

    def scenario(self, seed: int) -> Scenario:
        chance = self.chance
        self.slots = chance.choice((1, 2, 2, 3))
        self.talks = chance.random() < 0.15
        asks = tuple(self._ask(number) for number in range(chance.randint(1, 5)))
        weather = chance.choice((CALM, CALM, ROUGH))
        if chance.random() < 0.3:
            weather = Weather(weather.fates, longest_s=25.0)
        return Scenario(
            workers=self.slots,
            concurrency=chance.randint(1, 4),
            limit=chance.randint(1, 3),
            asks=asks,
            weather=weather,
            troubles=tuple(self._troubles(asks)),
            shuffled=chance.random() < 0.7,
            seed=seed,
        )

    def _ask(self, number: int) -> Ask:
        chance = self.chance
        at_s = chance.random() * chance.choice((1.0, 8.0))
        again = [
            at_s + chance.random() * chance.choice((0.5, 4.0, 15.0))
            for _ in range(chance.choice((0, 0, 0, 1, 2)))
        ]
        return Ask(
            cid=f"c{number}",
            at_s=at_s,
            stream=chance.random() < 0.7,
            own_queue=chance.random() < 0.9,
            on_break=chance.choice((OnBreak.RESTART, OnBreak.RESTART, OnBreak.CONTINUE, OnBreak.FAIL)),
            waiting=chance.random() < 0.2,
            within_s=chance.choice((None, None, None, 1.0, 4.0, 15.0, 60.0)),
            cancel_at_s=at_s + chance.random() * 5 - 0.2 if chance.random() < 0.2 else None,
            again_at_s=tuple(again),
            differs_at_s=at_s + chance.random() * 4 if chance.random() < 0.05 else None,
            expires_s=chance.choice((0.5, 3.0)) if chance.random() < 0.1 else None,
            conversation=TALK if self.talks and chance.random() < 0.7 else None,
            lane=chance.choice(("interactive", "interactive", "batch")),
        )

    def _troubles(self, asks: tuple[Ask, ...]) -> list[Trouble]:
        chance = self.chance
        count = chance.choice((0, 1, 1, 2, 3, 4))
        kinds = [chance.choice(_OFTEN if chance.random() < 0.3 else list(Fault)) for _ in range(count)]
        return [self._trouble(kind, asks) for kind in kinds]

    def _trouble(self, fault: Fault, asks: tuple[Ask, ...]) -> Trouble:
        chance = self.chance
        many = len(asks) if fault in {Fault.REPLY_QUEUE_FULL, Fault.REPLY_QUEUE_GONE} else self.slots
        # Most of what matters happens soon after a request came.
        at_s = chance.choice(asks).at_s + chance.random() * chance.choice((0.2, 2.0, 8.0))
        return Trouble(
            fault=fault,
            at_s=at_s,
            lasts_s=chance.choice(_LASTS) * (0.5 + chance.random()),
            slot=chance.randrange(many),
            steps=chance.choice((0, 5, 20, 100)) + chance.randrange(20),
        )


def drawn(seed: int) -> Scenario:
    """The scenario of a seed."""
    return _Drawing(random.Random(f"scenario {seed}")).scenario(seed)
