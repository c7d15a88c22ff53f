"""An event loop whose time is a number and whose order is drawn: one seed gives one run.

Time stands still while anything is ready, then jumps to the next timer. Nothing here reads the machine's
clock or opens a selector.
"""

import asyncio
import heapq
import random
from contextvars import Context, ContextVar
from typing import Any, cast

_PROCESS: ContextVar["Process | None"] = ContextVar("simulated_process", default=None)


class StalledError(Exception):
    """Nothing is ready and no timer is set: whoever still waits waits for ever."""


def _nothing() -> object:
    """Nobody wants to hear of it."""


class Process:
    """What is killed, or stopped, as one: every callback that was made by its tasks.

    Whoever calls into it from outside does so in its `context`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.stopped = False
        self.steps_left: int | None = None
        """After so many steps it dies; None while nobody means to kill it."""
        self.context = Context()
        self.context.run(_PROCESS.set, self)
        self.on_death = _nothing
        self.kept: list[asyncio.Handle] = []
        """What is ready and does not run: it stopped, or never will."""

    def kill(self) -> None:
        """Run nothing more of it: no `finally`, no `except`."""
        self.dead = True

    def stop(self) -> None:
        """As SIGSTOP: nothing runs until it goes on."""
        self.stopped = True

    def go_on(self, loop: "SimulatedLoop") -> None:
        """As SIGCONT."""
        self.stopped = False
        kept, self.kept = self.kept, []
        loop.again(kept)

    def runs(self, handle: asyncio.Handle) -> bool:
        """Whether it does its next step, or keeps it."""
        if self.steps_left is not None and not self.stopped:
            self.steps_left -= 1
            if self.steps_left < 0:
                self.steps_left = None
                self.dead = True
                self.on_death()
        if self.dead or self.stopped:
            # Even of the dead: collected as garbage, their coroutines would be closed, and clean up.
            self.kept.append(handle)
            return False
        return True


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs what is ready at one moment in an order that `chance` draws; in the usual one where it is None."""

    def __init__(self, chance: random.Random | None) -> None:
        super().__init__()
        self._chance = chance
        self._now = 0.0
        self._clock_resolution = 1e-9
        self._in_order: list[asyncio.Handle] = []
        self.steps = 0
        self.errors: list[dict[str, Any]] = []
        """What nobody caught."""
        self.set_exception_handler(lambda _, context: self.errors.append(context))
        below: Any = self  # what asyncio's own loops share has no public name
        self._timers = cast("list[asyncio.TimerHandle]", below._scheduled)
        self._due = cast("list[asyncio.Handle]", below._ready)

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def again(self, handles: list[asyncio.Handle]) -> None:
        """Run what was kept, in its order: what came over one connection stays in line."""
        self._in_order += handles

    def _run_once(self) -> None:
        timers, due = self._timers, self._due
        if not (due or self._in_order):
            self._jump()
        while timers and timers[0].when() <= self._now:
            due.append(heapq.heappop(timers))
        batch = list(due)
        due.clear()
        if self._chance is not None and len(batch) > 1:
            self._chance.shuffle(batch)
        kept, self._in_order = self._in_order, []
        for handle in (*kept, *batch):
            self._step(handle)

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise StalledError("nothing is ready and no timer is set")
        self._now = max(self._now, timers[0].when())

    def _step(self, handle: Any) -> None:
        if handle.cancelled():
            return
        process: Process | None = handle._context.get(_PROCESS)
        if process is None or process.runs(handle):
            self.steps += 1
            handle._run()

    def _process_events(self, event_list: object) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There is no other thread."""
