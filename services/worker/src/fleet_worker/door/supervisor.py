"""Owns the running requests: they outlive a lost channel, and end or are given back in a drain."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome

Work = Callable[[DeliveryLease], Coroutine[Any, Any, Outcome]]


class Supervisor:
    """Runs at most `concurrency` requests at once, each in a task that nobody but this class cancels.

    The client library of the broker cancels every waiting handler when a channel closes; a paid upstream
    call must not die with it, so the handler only waits for the task, shielded.
    """

    def __init__(self, concurrency: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._waiting = 0
        self._running: dict[asyncio.Task[Outcome], float] = {}
        """With the loop's time of their start."""
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

    async def run(self, work: Work, patience_s: float | None = None) -> Outcome:
        """Do `work` when there is room for it; hands back what has not started when a drain begins.

        After `patience_s` seconds it is done without room: nobody wants its answer any more, so all that is
        left is to say so. The work is told by its delivery's lease when whoever called this is cancelled: the
        channel is gone. Work that was cut off before its end is handed back.
        """
        has_slot = await self._wait_for_slot(patience_s)
        if self._draining:
            self._free(has_slot=has_slot)
            return Outcome.HAND_BACK
        delivery = DeliveryLease()
        task = asyncio.create_task(work(delivery))
        self._running[task] = asyncio.get_running_loop().time()
        task.add_done_callback(lambda ended: self._forget(ended, has_slot=has_slot))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and not _is_cancelled():
                # The work alone was cut off, by a drain or by a library: left alone, the delivery would be
                # stuck with this worker for as long as its channel lives.
                return Outcome.HAND_BACK
            raise
        finally:
            delivery.lost()

    async def drain(self, grace_s: float) -> None:
        """Let what runs end within `grace_s` seconds; cancel what doesn't, and return its delivery."""
        self._draining = True
        for _ in range(self._waiting):
            self._slots.release()
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        left = list(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _wait_for_slot(self, patience_s: float | None) -> bool:
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

    def _forget(self, task: asyncio.Task[Outcome], *, has_slot: bool) -> None:
        self._running.pop(task, None)
        self._free(has_slot=has_slot)
        if not task.cancelled():
            # Where the waiting handler is gone nobody else would look at an error; the loop would complain.
            task.exception()


def _is_cancelled() -> bool:
    """Whether somebody cancels the task that asks."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
