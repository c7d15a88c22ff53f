"""What a worker's part of the limiter does while the store is away, on a clock that runs by itself."""

import asyncio
from typing import Any

from fleet_chassis.store import StoreUnavailableError
from fleet_worker.limiter.desk import TRY_AGAIN_S, Desk
from fleet_worker.limiter.terms import Settlement
from harness.clock import HandClock
from harness.limiters import POOL, a_limiter_observer, an_ask
from simulation.loop import SimulatedLoop

AWAY_S = 10.0


class BookOfAStoreThatIsAway:
    """Refuses within a millisecond, as a port does on which nobody listens."""

    beat_s = 2.0

    def __init__(self) -> None:
        self.asked = 0

    async def beat(self, *_told: Any, **_more: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0.001)
        raise StoreUnavailableError("nobody listens")

    release = leave = acquire = look = beat


def test_a_worker_that_owes_the_store_a_permit_asks_it_now_and_then_and_not_all_the_time():
    loop, book = SimulatedLoop(None), BookOfAStoreThatIsAway()

    async def owe_and_wait() -> None:
        untyped: Any = book
        desk = Desk(untyped, POOL, HandClock(), a_limiter_observer())
        desk.release(an_ask(1), Settlement())
        beating = asyncio.create_task(desk.run())
        await asyncio.sleep(AWAY_S)
        beating.cancel()

    loop.run_until_complete(owe_and_wait())
    loop.close()
    assert AWAY_S / TRY_AGAIN_S / 2 < book.asked < 2 * AWAY_S / TRY_AGAIN_S
