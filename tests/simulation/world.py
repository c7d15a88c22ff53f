"""What everything in a run shares: its time, its chance, its loop and its history."""

import random
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field

from simulation.history import History
from simulation.loop import Process, SimulatedLoop

BEGAN_MS = 1_795_000_000_000


@dataclass(slots=True)
class World:
    """One run."""

    loop: SimulatedLoop
    chance: random.Random
    history: History = field(default_factory=History)
    outside: Context = field(default_factory=Context)
    """What happens here outlives every process."""
    over: bool = False
    """Everything has been judged: nothing works any more, so that all that is left ends."""

    def note(self, who: str, what: str, about: object = "") -> None:
        """Write down what happens now."""
        self.history.note(self.loop.time(), who, what, about)

    def now_ms(self) -> float:
        """The Unix time in ms, as the servers know it."""
        return BEGAN_MS + self.loop.time() * 1000

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """Do something in so many seconds, whoever is alive then."""
        self.loop.call_later(seconds, do, context=self.outside)

    def at(self, moment: float, do: Callable[[], object]) -> None:
        """Do something at a moment of the loop, whoever is alive then."""
        self.loop.call_at(moment, do, context=self.outside)


class Wire:
    """Carries things one way, in order, each taking as long as chance wants."""

    def __init__(self, world: World, usual_s: float = 0.002) -> None:
        self._world = world
        self._usual_s = usual_s
        self._last = 0.0

    def carry(self, do: Callable[[], object]) -> None:
        """Have `do` done at the other end."""
        chance = self._world.chance
        seconds = self._usual_s * chance.random()
        if chance.random() < 0.02:
            seconds += chance.random()
        # Never two at one moment: what is ready at one moment comes in any order.
        self._last = max(self._last + 1e-6, self._world.loop.time() + seconds)
        self._world.at(self._last, do)


class ProcessClock:
    """One process's clock: its own wall time, and the monotonic time of the machine."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self.process = process
        self.ahead_s = 0.0
        """How far its wall clock is from the servers'."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return round(self._world.now_ms() + self.ahead_s * 1000)

    def monotonic(self) -> float:
        """Seconds; the loop's."""
        return self._world.loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds <= 0:
            return
        ended = self._world.loop.create_future()
        timer = self._world.loop.call_later(seconds, lambda: ended.done() or ended.set_result(None))
        try:
            await ended
        finally:
            timer.cancel()
