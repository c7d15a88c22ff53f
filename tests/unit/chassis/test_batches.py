import asyncio

from fleet_chassis.batches import BREATH_S, TOGETHER, in_batches
from harness.clock import HandClock


async def test_many_are_asked_a_few_at_a_time_and_none_waits_for_the_answers_before_it():
    clock, answers = HandClock(), asyncio.Event()
    asked: list[tuple[int, int]] = []

    async def ask(number: int) -> None:
        asked.append((number, len(clock.slept)))
        if number == 2 * TOGETHER:
            answers.set()
        await answers.wait()

    async with asyncio.timeout(10):
        await in_batches(range(2 * TOGETHER + 1), ask, clock)
    pauses = [1] * TOGETHER + [2] * (TOGETHER + 1)
    assert asked == list(enumerate(pauses))
    assert clock.slept == [BREATH_S] * 2


async def test_a_few_are_asked_at_once():
    clock = HandClock()
    await in_batches(range(TOGETHER), lambda _: asyncio.sleep(0), clock)
    assert clock.slept == []
