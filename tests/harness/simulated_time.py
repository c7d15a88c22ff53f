"""Tests in simulated time: their waits take none, and come out the same however busy the machine is."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from simulation.loop import SimulatedLoop

P = ParamSpec("P")


def in_simulated_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test, on a loop whose time jumps to the next timer: for what needs no thread and no socket.

    Its fixtures are made outside that loop, so they may not be asynchronous. A wait that nothing ends fails
    the test at once.
    """

    @wraps(test)
    def played(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=lambda: SimulatedLoop(None)) as runner:
            runner.run(test(*args, **kwargs))

    return played


class LoopClock:
    """The time of the loop that runs, for what is told its clock."""

    def now_ms(self) -> int:
        return round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
