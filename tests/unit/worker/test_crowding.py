import asyncio

import pytest

from fleet_worker.limiter import crowding
from fleet_worker.limiter.crowding import Crowding
from fleet_worker.limiter.terms import Place
from fleet_worker.postponed import PostponedError, Reason
from harness.clock import HandClock
from harness.limiters import an_ask
from harness.simulated_time import in_simulated_time


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "HOLD_S", 0.01)


async def test_one_more_of_a_tenant_than_may_wait_is_put_aside_and_others_are_not():
    lines = Crowding(2, HandClock())
    async with lines.place(an_ask(1)), lines.place(an_ask(2)):
        with pytest.raises(PostponedError) as postponed:
            async with lines.place(an_ask(3)):
                pass
        assert (postponed.value.reason, postponed.value.wait_s) == (Reason.THROTTLED, pytest.approx(5.1))
        async with lines.place(an_ask(4, tenant="beta")), lines.place(an_ask(5, pool="default/other")):
            pass
    async with lines.place(an_ask(6)):
        pass


async def test_whoever_is_put_aside_comes_back_about_when_its_turn_is():
    lines = Crowding(1, HandClock())
    lines.seen(an_ask(0), Place(ahead=9, slots=2, took_ms=4000, flows=1))
    waits: list[float] = []
    async with lines.place(an_ask(1)):
        for number in range(2, 6):
            with pytest.raises(PostponedError) as postponed:
                async with lines.place(an_ask(number)):
                    pass
            waits.append(postponed.value.wait_s)
    # A call of 4 s on two slots: one every 2 s.
    assert waits == pytest.approx([7, 9, 11, 13])


@in_simulated_time
async def test_a_place_that_is_left_in_time_is_taken_by_the_next():
    lines = Crowding(1, HandClock())

    async def second() -> None:
        async with lines.place(an_ask(2)):
            pass

    async with lines.place(an_ask(1)):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
    await waiting
