"""Owns the running requests: they outlive a lost channel, and end or are given back in a drain."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fleet_chassis.tasks import stop
from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome

Work = Callable[[], Coroutine[Any, Any, Outcome]]


class Supervisor:
    """Runs at most `concurrency` requests at once, each in the task of its delivery.

    A paid upstream call must not die with the channel that its request came by, so work says on the
    delivery's lease that it has begun: from then on nobody but this class cancels its task.
    """

    def __init__(self, concurrency: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._waiting = 0
        self._running: dict[asyncio.Task[Any], float] = {}
        """With the loop's time of their start."""
        self._cut: set[asyncio.Task[Any]] = set()
        self._draining = False

    @property
    def running(self) -> int:
        """How many requests are in work."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many deliveries are here and wait for room."""
        return self._waiting

    @property
    def oldest_s(self) -> float:
        """For how many seconds the oldest of them has been in work; 0 where none is."""
        oldest = next(iter(self._running.values()), None)
        return 0.0 if oldest is None else asyncio.get_running_loop().time() - oldest

    async def run(self, work: Work, delivery: DeliveryLease, patience_s: float | None = None) -> Outcome:
        """Do `work` when there is room for it; hands back what has not started when a drain begins.

        After `patience_s` seconds it is done without room: nobody wants its answer any more, so all that is
        left is to say so. Work that was cut off before its end, by a drain or by a library, is handed back:
        left alone, the delivery would be stuck with this worker for as long as its channel lives.
        """
        has_slot = await self._wait_for_slot(patience_s)
        if self._draining:
            self._free(has_slot=has_slot)
            return Outcome.HAND_BACK
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has one
        delivery.at_work = True
        self._running[task] = asyncio.get_running_loop().time()
        try:
            return await work()
        except asyncio.CancelledError:
            if task.cancelling() and task not in self._cut:
                raise  # the loop itself ends
            return Outcome.HAND_BACK
        finally:
            del self._running[task]
            self._cut.discard(task)
            self._free(has_slot=has_slot)
            delivery.lost()

    async def drain(self, grace_s: float) -> None:
        """Let what runs end within `grace_s` seconds; cancel what doesn't, and return its delivery."""
        self._draining = True
        for _ in range(self._waiting):
            self._slots.release()
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        left = list(self._running)
        self._cut.update(left)
        await stop(*left)

    async def _wait_for_slot(self, patience_s: float | None) -> bool:
        if not self._slots.locked():
            return await self._slots.acquire()
        self._waiting += 1
        try:
            async with asyncio.timeout(patience_s):
                return await self._slots.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    def _free(self, *, has_slot: bool) -> None:
        if has_slot:
            self._slots.release()
