"""The limiter's rules, the same on a store and in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fleet_contracts.grammar import Lane
from fleet_worker.limiter.rules import TenantLimits
from fleet_worker.limiter.terms import Ended, Granted, Refused, Settlement, Waits
from harness.limiters import POOL, QUICK, MemoryDesk, StoreDesk, a_desk, an_ask
from harness.waiting import until, until_so

pytestmark = pytest.mark.sockets

Desk = MemoryDesk | StoreDesk
ANSWERED = Settlement(Ended.ANSWERED)


@pytest.fixture(params=["memory", "store"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def desk(kind: str, store_url: str) -> AsyncIterator[Desk]:
    async with a_desk(kind, store_url) as opened:
        yield opened


async def acquired(desk: Desk, *numbers: int, **more: object) -> None:
    for number in numbers:
        await desk.book.acquire(an_ask(number, **more))  # type: ignore[arg-type]


async def until_held(desk: Desk, count: int) -> None:
    """Look until so many calls are in flight, and a pause is over that nobody is told of."""

    async def so_many() -> bool:
        await desk.book.look(POOL)
        return len(await desk.held()) == count

    await until_so(so_many)


async def test_no_more_calls_than_the_limit_are_ever_granted(desk: Desk):
    said = [await desk.book.acquire(an_ask(number)) for number in range(6)]
    assert [type(one) for one in said] == [Granted] * 4 + [Waits] * 2
    assert await desk.held() == {"w1.0", "w1.1", "w1.2", "w1.3"}


async def test_asking_twice_is_asking_once(desk: Desk):
    await acquired(desk, 0, 0, 1, 2, 3, 4, 4, 5)
    await desk.book.release(an_ask(0), ANSWERED)
    await desk.book.release(an_ask(0), ANSWERED)
    assert await desk.held() == {"w1.1", "w1.2", "w1.3", "w1.4"}


async def test_a_freed_slot_goes_to_who_has_waited_longest(desk: Desk):
    await acquired(desk, *range(7))
    for number in range(3):
        await desk.book.release(an_ask(number), ANSWERED)
    assert await desk.held() == {"w1.3", "w1.4", "w1.5", "w1.6"}


async def test_whoever_leaves_is_passed_over_and_takes_nothing_along(desk: Desk):
    await acquired(desk, *range(7))
    await desk.book.leave(an_ask(4))
    await desk.book.leave(an_ask(0))
    assert await desk.held() == {"w1.1", "w1.2", "w1.3", "w1.5"}


async def test_tenants_share_a_full_pool_alike_in_tokens(desk: Desk):
    await acquired(desk, *range(4), tenant="first")
    await acquired(desk, *range(10, 30), tenant="heavy", tokens=300)
    await acquired(desk, *range(30, 50), tenant="light", tokens=100)
    running = [an_ask(number, tenant="first") for number in range(4)]
    served = {"heavy": 0, "light": 0}
    for _ in range(16):
        await desk.book.release(running.pop(0), ANSWERED)
        number = next(
            iter({int(one[3:]) for one in await desk.held()} - {int(one.id[3:]) for one in running})
        )
        tenant, tokens = ("heavy", 300) if number < 30 else ("light", 100)
        running.append(an_ask(number, tenant=tenant, tokens=tokens))
        served[tenant] += tokens
    assert abs(served["heavy"] - served["light"]) <= 300


async def test_a_weight_gives_a_tenant_more(desk: Desk):
    await desk.set_tenant("large", TenantLimits(weight=3))
    await acquired(desk, *range(4))
    await acquired(desk, *range(10, 20), tenant="small")
    await acquired(desk, *range(20, 30), tenant="large")
    for number in range(4):
        await desk.book.release(an_ask(number), ANSWERED)
    assert sorted(int(one[3:]) // 10 for one in await desk.held()) == [1, 2, 2, 2]


async def test_a_tenants_own_cap_leaves_the_other_slots_to_others(desk: Desk):
    await desk.set_tenant("small", TenantLimits(concurrency=1))
    await acquired(desk, 0, 1, 2, tenant="small")
    await acquired(desk, 10, 11, tenant="other")
    assert await desk.held() == {"w1.0", "w1.10", "w1.11"}
    await desk.book.release(an_ask(0, tenant="small"), ANSWERED)
    assert await desk.held() == {"w1.1", "w1.10", "w1.11"}


async def test_batch_leaves_slots_free_for_interactive_and_is_not_starved(desk: Desk):
    await acquired(desk, *range(6), lane=Lane.BATCH)
    assert len(await desk.held()) == 3
    await acquired(desk, *range(10, 40))
    batch_served = 0
    for _ in range(24):
        one = next(iter(sorted(await desk.held(), key=lambda held: int(held[3:]) < 10)))
        number = int(one[3:])
        lane = Lane.BATCH if number < 10 else Lane.INTERACTIVE
        await desk.book.release(an_ask(number, lane=lane), ANSWERED)
        held = {int(held[3:]) for held in await desk.held()}
        batch_served = max(batch_served, *(number + 1 for number in held if number < 10), 0)
    assert batch_served >= 3


async def test_requests_in_a_window_are_limited_wherever_it_begins(kind: str, store_url: str):
    slow = replace(QUICK, concurrency=100, rpm=10, window_s=100.0, burst_s=25.0)
    async with a_desk(kind, store_url, slow) as desk:
        said = [await desk.book.acquire(an_ask(number)) for number in range(12)]
        assert [type(one) for one in said] == [Granted] * 2 + [Waits] * 10
        # One in 12.5 s.
        assert 0 < said[2].next_ms <= 12_500
    async with a_desk(kind, store_url, replace(slow, window_s=1.0, burst_s=0.25)) as desk:
        await acquired(desk, *range(12))
        await until_held(desk, 5)


async def test_a_request_bigger_than_a_burst_waits_until_a_window_has_room_for_all_of_it(
    kind: str, store_url: str
):
    rules = replace(QUICK, concurrency=100, tpm=1000, window_s=1000.0, burst_s=20.0)
    async with a_desk(kind, store_url, rules) as desk:
        assert isinstance(await desk.book.acquire(an_ask(0, tokens=1)), Granted)
        said = await desk.book.acquire(an_ask(1, tokens=400))
        assert isinstance(said, Waits)
        # 400 tokens are 408 s at this pace, and a burst holds 20 s of them.
        assert 370_000 < said.next_ms < 400_000


async def test_unused_tokens_come_back_and_overdrawn_ones_are_owed(kind: str, store_url: str):
    rules = replace(QUICK, concurrency=100, tpm=1000, window_s=100.0, burst_s=25.0)
    async with a_desk(kind, store_url, rules) as desk:
        ask = an_ask(0, tokens=200)
        assert isinstance(await desk.book.acquire(ask), Granted)
        await desk.book.release(ask, Settlement(Ended.ANSWERED, tokens=10))
        assert isinstance(await desk.book.acquire(an_ask(1, tokens=150)), Granted)
        await desk.book.release(an_ask(1, tokens=150), Settlement(Ended.ANSWERED, tokens=2000))
        said = await desk.book.acquire(an_ask(2, tokens=1))
        assert isinstance(said, Waits)
        assert said.next_ms > 150_000


async def test_a_refusal_that_names_a_limit_is_obeyed_by_the_next_grant(desk: Desk):
    await desk.set_pool(concurrency=100)
    await acquired(desk, *range(30))
    await desk.book.release(an_ask(0), Settlement(Ended.FULL, told=25))
    for number in range(1, 6):
        await desk.book.release(an_ask(number), ANSWERED)
    assert isinstance(await desk.book.acquire(an_ask(50)), Granted)
    assert isinstance(await desk.book.acquire(an_ask(51)), Waits)


async def test_a_refusal_without_a_number_takes_a_tenth_once_for_all_that_were_refused_together(desk: Desk):
    await desk.set_pool(concurrency=20)
    await acquired(desk, *range(20))
    await asyncio.sleep(0.01)
    for number in range(3):
        await desk.book.release(an_ask(number), Settlement(Ended.FULL))
    await acquired(desk, 50, 51)
    assert len(await desk.held()) == 18


async def test_after_a_time_without_refusals_one_more_call_is_tried(desk: Desk):
    await desk.set_pool(concurrency=20)
    await acquired(desk, *range(20))
    await asyncio.sleep(0.01)
    await desk.book.release(an_ask(0), Settlement(Ended.FULL, told=5))
    for number in range(1, 16):
        await desk.book.release(an_ask(number), Settlement(Ended.OTHER))
    await acquired(desk, *range(100, 220))
    first = max(len(await desk.held()), 0)
    for _ in range(101):
        oldest = min(await desk.held(), key=lambda one: int(one[3:]))
        await desk.book.release(an_ask(int(oldest[3:])), ANSWERED)
    assert (first, len(await desk.held())) == (5, 6)


async def answered_until(desk: Desk, wanted: int, most: int) -> int:
    """Answers the oldest call, with others waiting, until so many are in flight; how many it took."""
    for answers in range(most):
        if len(held := await desk.held()) == wanted:
            return answers
        await desk.book.release(an_ask(min(int(one[3:]) for one in held)), ANSWERED)
    return most


async def test_a_refusal_that_names_far_more_than_is_in_flight_makes_room_and_is_soon_back_at_that_number(
    desk: Desk,
):
    await desk.set_pool(concurrency=100)
    await acquired(desk, *range(4))
    await asyncio.sleep(0.01)
    await desk.book.release(an_ask(0), Settlement(Ended.FULL, told=40))
    await acquired(desk, *range(10, 300))
    assert len(await desk.held()) == 3
    assert await answered_until(desk, 40, most=200) <= 80
    # Above it one more is tried as after any refusal, and not before a hundred answers.
    assert await answered_until(desk, 41, most=120) >= 100


async def test_what_others_go_on_using_of_the_account_is_tried_ever_more_rarely(desk: Desk):
    await desk.set_pool(concurrency=100)
    await acquired(desk, *range(4))
    needed = list[int]()
    for _ in range(3):
        await asyncio.sleep(0.01)
        newest = max(int(one[3:]) for one in await desk.held())
        await desk.book.release(an_ask(newest), Settlement(Ended.FULL, told=40))
        await acquired(desk, *range(newest + 1, newest + 100))
        assert len(await desk.held()) == 3
        needed.append(await answered_until(desk, 4, most=100))
    assert needed == [10, 20, 40]


async def test_a_cool_down_holds_everybody_for_its_time(desk: Desk):
    await acquired(desk, 0)
    await desk.book.release(an_ask(0), Settlement(Ended.BUSY, cool_ms=100))
    await acquired(desk, 1)
    await until_held(desk, 1)
    await desk.book.release(an_ask(1), Settlement(Ended.BUSY, cool_ms=60_000))
    said = await desk.book.acquire(an_ask(2))
    assert isinstance(said, Waits)
    assert 0 < said.next_ms <= 60_000
    await desk.book.look(POOL)
    assert await desk.held() == set()


async def test_a_few_calls_in_a_hundred_that_an_overloaded_provider_refuses_slow_nobody_down(desk: Desk):
    await desk.set_pool(concurrency=20)
    for number in range(100):
        await acquired(desk, number)
        busy = number % 50 in {10, 11}
        ended = Settlement(Ended.BUSY, pause_ms=60_000) if busy else ANSWERED
        await desk.book.release(an_ask(number), ended)
    await acquired(desk, *range(200, 221))
    assert len(await desk.held()) == 20


async def test_an_overload_that_lasts_pauses_everybody(desk: Desk):
    await desk.set_pool(concurrency=20)
    await acquired(desk, *range(20))
    for number in range(12):
        await desk.book.release(an_ask(number), Settlement(Ended.BUSY, pause_ms=60_000))
    said = await desk.book.acquire(an_ask(50))
    assert isinstance(said, Waits)
    assert 0 < said.next_ms <= 60_000
    await desk.book.look(POOL)
    assert len(await desk.held()) == 8


async def test_an_overload_that_lasts_takes_a_tenth_at_most_once_a_second(desk: Desk):
    await desk.set_pool(concurrency=20)
    await acquired(desk, *range(20))
    for number in range(12):
        await desk.book.release(an_ask(number), Settlement(Ended.BUSY, pause_ms=20))
    await acquired(desk, *range(51, 80))
    await until_held(desk, 18)
    await asyncio.sleep(1.0)
    await desk.book.release(an_ask(12), Settlement(Ended.BUSY, pause_ms=20))
    await until_held(desk, 17)
    # 20 * 0.9 * 0.9 is 16.2: one more call has to end before another one begins.
    await desk.book.release(an_ask(13), Settlement(Ended.OTHER))
    assert len(await desk.held()) == 16


async def test_a_limit_that_an_overload_cut_grows_again_when_it_is_over(desk: Desk):
    await desk.set_pool(concurrency=10)
    await acquired(desk, *range(10))
    for number in range(7):
        await desk.book.release(an_ask(number), Settlement(Ended.BUSY))
    await acquired(desk, *range(100, 200))
    assert len(await desk.held()) == 9
    for _ in range(40):
        oldest = min(await desk.held(), key=lambda one: int(one[3:]))
        await desk.book.release(an_ask(int(oldest[3:])), ANSWERED)
    assert len(await desk.held()) == 10


async def test_money_is_reserved_at_its_worst_settled_with_what_it_was_and_then_refused(desk: Desk):
    await desk.set_tenant("acme", TenantLimits(day=1000))
    assert isinstance(await desk.book.acquire(an_ask(0, worst=600)), Granted)
    assert isinstance(await desk.book.acquire(an_ask(1, worst=600)), Waits)
    await desk.book.release(an_ask(0, worst=600), Settlement(Ended.ANSWERED, spent=300))
    assert await desk.held() == {"w1.1"}
    await desk.book.release(an_ask(1, worst=600), Settlement(Ended.ANSWERED, spent=200))
    said = await desk.book.acquire(an_ask(2, worst=501))
    assert isinstance(said, Refused)
    assert (said.period, said.spent, said.limit) == ("day", 500, 1000)
    assert said.resets_at_ms % 86_400_000 == 0
    assert isinstance(await desk.book.acquire(an_ask(3, worst=500)), Granted)


async def test_a_month_has_a_budget_too_and_ends_on_a_first(desk: Desk):
    await desk.set_tenant("*", TenantLimits(month=1000))
    said = await desk.book.acquire(an_ask(0, worst=1001))
    assert isinstance(said, Refused)
    assert said.period == "month"
    from datetime import UTC, datetime

    assert datetime.fromtimestamp(said.resets_at_ms / 1000, UTC).day == 1


async def test_a_call_whose_use_nobody_knows_stays_charged_at_its_worst(desk: Desk):
    await desk.book.acquire(an_ask(0, worst=600))
    await desk.book.release(an_ask(0, worst=600), Settlement(Ended.OTHER))
    assert await desk.spent("acme") == 600


async def test_a_waiting_request_whose_budget_ran_out_is_told(desk: Desk):
    await desk.set_tenant("acme", TenantLimits(day=1000))
    await acquired(desk, 0, 1, worst=700)
    await desk.book.release(an_ask(0, worst=700), Settlement(Ended.ANSWERED, spent=700))
    await until(lambda: desk.heard.refusals == ["w1.1"])
    assert await desk.held() == set()


async def test_a_limit_set_while_it_runs_holds_from_the_next_call_on(desk: Desk):
    await acquired(desk, *range(6))
    await desk.set_pool(concurrency=6)
    await desk.book.look(POOL)
    assert len(await desk.held()) == 6
    await desk.set_pool(concurrency=2)
    for number in range(3):
        await desk.book.release(an_ask(number), ANSWERED)
    await acquired(desk, 9)
    assert len(await desk.held()) == 3


async def test_who_had_less_than_others_waits_for_nobody_when_they_take_everything(desk: Desk):
    await desk.set_pool(concurrency=20)
    await acquired(desk, *range(30), tenant="heavy")
    await acquired(desk, 60, tenant="light")
    assert "w1.60" not in await desk.held()
    await desk.book.release(an_ask(0, tenant="heavy"), ANSWERED)
    assert "w1.60" in await desk.held()
    # From now on one slot is kept for the next of them.
    await desk.book.release(an_ask(1, tenant="heavy"), ANSWERED)
    assert len(await desk.held()) == 19
    assert isinstance(await desk.book.acquire(an_ask(61, tenant="heavy")), Waits)
    assert isinstance(await desk.book.acquire(an_ask(62, tenant="other")), Granted)
    assert len(await desk.held()) == 20


async def test_a_tenant_alone_uses_every_slot(desk: Desk):
    await desk.set_pool(concurrency=50)
    await acquired(desk, *range(120), tenant="only")
    for number in range(40):
        await desk.book.release(an_ask(number, tenant="only"), ANSWERED)
        assert len(await desk.held()) == 50
