"""The ground truth: in order, bounded, and quick to tell."""

import asyncio

import orjson
import pytest

from fleet_simulator import Log
from fleet_simulator.clock import SystemClock
from harness.clock import HandClock


def test_events_can_be_read_from_an_offset_on() -> None:
    log = Log(HandClock(), capacity=10)
    for number in range(3):
        log.add("arrived", number, {})
    assert [event.call for event in log.events(since=1)] == [1, 2]
    assert log.next_offset == 3


def test_the_oldest_events_make_room_and_offsets_stay() -> None:
    log = Log(HandClock(), capacity=2)
    for number in range(5):
        log.add("arrived", number, {})
    assert [event.offset for event in log.events()] == [3, 4]
    assert [event.offset for event in log.events(since=4)] == [4]


def test_an_event_is_one_json_line_with_both_times() -> None:
    log = Log(HandClock(now_ms=5), capacity=2)
    log.add("closed", 7, {"reason": "done"})
    assert orjson.loads(log.events()[0].line()) == {
        "offset": 0,
        "event": "closed",
        "call": 7,
        "at": 1000.0,
        "unix_ms": 5,
        "reason": "done",
    }


async def test_who_waits_for_an_event_is_told_when_it_comes() -> None:
    log = Log(HandClock(), capacity=10)
    waiting = asyncio.create_task(log.wait_for(lambda event: event.kind == "closed"))
    await asyncio.sleep(0)
    log.add("arrived", 1, {})
    await asyncio.sleep(0)
    log.add("closed", 1, {})
    assert (await waiting).kind == "closed"


async def test_an_event_that_never_comes_ends_the_wait() -> None:
    log = Log(HandClock(), capacity=10)
    with pytest.raises(TimeoutError):
        await log.wait_for(lambda event: event.kind == "closed", within=0.01)


async def test_the_clock_never_wakes_a_sleeper_early_and_survives_one_that_left() -> None:
    clock = SystemClock(tick=0.002)
    gone = asyncio.create_task(clock.sleep(0.01))
    began = clock.monotonic()
    staying = asyncio.create_task(clock.sleep(0.01))
    await asyncio.sleep(0)
    gone.cancel()
    await staying
    assert clock.monotonic() - began >= 0.009
    assert gone.cancelled()
