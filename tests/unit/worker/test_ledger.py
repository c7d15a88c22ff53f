import asyncio
from typing import Any

import pytest

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.hold import DeliveryLease, Hold
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.ledger.holder import MOST_TRIALS, decoded
from fleet_worker.ledger.times import DAY_S
from fleet_worker.ports import AlreadyAnswered, CancelSeen, Claim, Conflict, Final, Granted
from fleet_worker.terminal import Terminal
from harness.clock import HandClock
from harness.ledgers import a_memory_ledger
from harness.requests import a_request

NEVER = Deadline(1e9)


def a_terminal(body: bytes = b"{}") -> Terminal:
    return Terminal("result", "c-1:final", 1, body)


async def claim(ledger: FleetLedger, **changes: Any) -> Claim:
    return await ledger.claim(a_request(**changes), DeliveryLease())


async def granted(ledger: FleetLedger, **changes: Any) -> Hold:
    answer = await claim(ledger, **changes)
    assert isinstance(answer, Granted)
    return answer.hold


async def waiting(ledger: FleetLedger) -> "asyncio.Task[Claim]":
    """A claim that has found the request in other hands."""
    task = asyncio.create_task(claim(ledger))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_a_released_claim_wakes_who_waits_for_it():
    ledger = a_memory_ledger(HandClock())
    hold = await granted(ledger)
    second = await waiting(ledger)
    await ledger.release(hold)
    assert isinstance(await second, Granted)


async def test_a_commit_wakes_who_waits_with_the_same_bytes():
    ledger = a_memory_ledger(HandClock())
    hold = await granted(ledger)
    second, third = await waiting(ledger), await waiting(ledger)
    await ledger.commit(hold, a_terminal(), NEVER)
    assert await second == await third == Final(a_terminal())


async def test_claiming_spends_no_attempt_and_beginning_one_does():
    ledger = a_memory_ledger(HandClock())
    hold = await granted(ledger)
    await ledger.release(hold)
    hold = await granted(ledger)
    assert (hold.attempts, hold.void) == (0, None)
    assert await ledger.begin_attempt(hold) == 1
    await ledger.release(hold)
    assert (await granted(ledger)).attempts == 1


async def test_what_was_sent_before_a_release_is_void_afterwards():
    ledger = a_memory_ledger(HandClock())
    hold = await granted(ledger)
    await ledger.begin_attempt(hold)
    hold.void = "worker_lost"
    await ledger.release(hold)
    assert (await granted(ledger)).void == "worker_lost"


async def test_another_body_or_type_is_a_conflict_while_running_and_after_the_end():
    ledger = a_memory_ledger(HandClock())
    hold = await granted(ledger)
    assert await claim(ledger, digest="x") == Conflict()
    await ledger.commit(hold, a_terminal(), NEVER)
    assert await claim(ledger, digest="x") == Conflict()
    assert await claim(ledger, type="fim.v1") == Conflict()


async def test_an_end_is_kept_for_a_day():
    clock = HandClock()
    ledger = a_memory_ledger(clock)
    await ledger.commit(await granted(ledger), a_terminal(), NEVER)
    clock.advance(DAY_S - 1)
    assert isinstance(await claim(ledger), Final)
    clock.advance(2)
    assert isinstance(await claim(ledger), Granted)


async def test_the_oldest_bodies_make_room_and_their_ends_are_still_known():
    ledger = a_memory_ledger(HandClock(), max_body_bytes=10)
    for number in range(3):
        hold = await granted(ledger, correlation_id=f"c-{number}")
        await ledger.commit(hold, a_terminal(b"x" * 5), NEVER)
    oldest = await claim(ledger, correlation_id="c-0")
    assert isinstance(oldest, AlreadyAnswered)
    assert (oldest.outcome, len(oldest.digest)) == ("result", 64)
    assert isinstance(await claim(ledger, correlation_id="c-2"), Final)


async def test_a_cancel_stops_the_work_that_goes_on():
    ledger = a_memory_ledger(HandClock())
    hold = await granted(ledger)

    async def work() -> None:
        with hold.working():
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    assert await ledger.cancel(hold.key) is CancelSeen.RUNNING
    with pytest.raises(CompletionError) as error:
        await working
    assert error.value.code is ErrorCode.CANCELLED


async def test_a_cancel_that_comes_first_is_found_by_the_claim():
    ledger = a_memory_ledger(HandClock())
    assert await ledger.cancel(a_request().key) is CancelSeen.UNKNOWN
    hold = await granted(ledger)
    with pytest.raises(CompletionError, match="cancelled"), hold.working():
        pass


async def test_a_cancel_takes_in_hand_what_nobody_has_and_knows_where_to_answer():
    ledger = a_memory_ledger(HandClock())
    await ledger.release(await granted(ledger))
    hold = await ledger.cancel(a_request().key)
    assert isinstance(hold, Hold)
    assert (hold.facts.reply_to, hold.facts.model) == ("deepseek.reply.acme.1", "deepseek-flash")
    await ledger.commit(hold, a_terminal(), NEVER)
    assert await ledger.cancel(hold.key) is CancelSeen.ENDED


async def test_of_very_many_attempts_the_first_and_the_newest_are_kept():
    ledger = a_memory_ledger(HandClock())
    hold = await granted(ledger)
    for _ in range(100):
        await ledger.begin_attempt(hold)
        hold.ended(0, "rate_limited", None)
    record = await ledger.renewing.records.look(hold.key)
    assert record is not None
    kept = [decoded(trial).number for trial in record.trials.values()]
    assert (record.attempts, kept[:2], max(kept), len(kept)) == (100, [1, 2], 100, MOST_TRIALS)
