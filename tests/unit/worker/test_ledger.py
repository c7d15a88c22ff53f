from fleet_worker.ledger import KEPT_S, MemoryLedger
from fleet_worker.ports import Busy, Conflict, Final, Granted
from fleet_worker.terminal import Terminal
from harness.clock import HandClock
from harness.requests import a_request


def a_terminal(body: bytes = b"{}") -> Terminal:
    return Terminal("result", "c-1:final", 1, body)


async def test_the_first_claim_is_granted_and_the_second_finds_it_busy():
    ledger = MemoryLedger(HandClock())
    assert await ledger.claim(a_request()) == Granted(0)
    assert isinstance(await ledger.claim(a_request()), Busy)


async def test_a_released_claim_wakes_who_waits_and_can_be_taken_again():
    ledger = MemoryLedger(HandClock())
    await ledger.claim(a_request())
    busy = await ledger.claim(a_request())
    await ledger.release(a_request())
    assert isinstance(busy, Busy)
    assert busy.ended.is_set()
    assert await ledger.claim(a_request()) == Granted(0)


async def test_the_first_commit_counts_and_the_second_learns_of_it():
    ledger = MemoryLedger(HandClock())
    first, second = a_terminal(b"1"), a_terminal(b"2")
    assert await ledger.commit(a_request(), first) is first
    assert await ledger.commit(a_request(), second) is first
    assert await ledger.claim(a_request()) == Final(first)


async def test_another_body_or_type_is_a_conflict_while_running_and_after_the_end():
    ledger = MemoryLedger(HandClock())
    await ledger.claim(a_request())
    assert await ledger.claim(a_request(digest="x")) == Conflict()
    await ledger.commit(a_request(), a_terminal())
    await ledger.release(a_request())
    assert await ledger.claim(a_request(digest="x")) == Conflict()
    assert await ledger.claim(a_request(type="fim.v1")) == Conflict()


async def test_an_end_is_kept_for_a_day():
    clock = HandClock()
    ledger = MemoryLedger(clock)
    await ledger.commit(a_request(), a_terminal())
    clock.advance(KEPT_S - 1)
    assert isinstance(await ledger.claim(a_request()), Final)
    clock.advance(2)
    assert isinstance(await ledger.claim(a_request()), Granted)


async def test_the_oldest_ends_make_room_when_memory_is_used_up():
    ledger = MemoryLedger(HandClock(), max_kept_bytes=10)
    for number in range(3):
        await ledger.commit(a_request(correlation_id=f"c-{number}"), a_terminal(b"x" * 5))
    assert isinstance(await ledger.claim(a_request(correlation_id="c-0")), Granted)
    assert isinstance(await ledger.claim(a_request(correlation_id="c-2")), Final)
