"""What the fleet knows of its upstream, by the same rules in memory and in a real store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import count

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_worker.upstream_health import HealthPolicy, MemoryHealth, StoreHealth
from fleet_worker.upstream_health.overview import troubles
from fleet_worker.upstream_health.record import Admission, Change, Go, HealthRecord, Look, Wait
from fleet_worker.upstream_health.signs import Sign
from harness.store import SharedStore

pytestmark = pytest.mark.sockets

POLICY = HealthPolicy(
    window_s=60, min_calls=4, rate=0.5, open_s=30, longest_open_s=120, probe_s=20, look_s=30, budget=30
)
QUICK = replace(POLICY, open_s=0.3, longest_open_s=1.2, look_s=0.3)
"""For what is to be seen after a pause: whoever looks may come at any time after it."""
FLASH, PRO = "deepseek-flash", "deepseek-v4-pro"
CLOCK = SystemClock()
ROUNDED_S = 0.005
Opens = Callable[[HealthPolicy], HealthRecord]


async def empty(store: SharedStore) -> str:
    return await store.fresh_database()


@pytest.fixture(params=["memory", "store"])
async def opens(request: pytest.FixtureRequest) -> AsyncIterator[Opens]:
    if request.param == "memory":
        yield lambda policy: MemoryHealth(policy, CLOCK)
        return
    url = await empty(request.getfixturevalue("store"))
    async with open_store(url, 5, CLOCK) as store:
        yield lambda policy: StoreHealth(store, "fleet", "default", policy)


@pytest.fixture
def health(opens: Opens) -> HealthRecord:
    return opens(POLICY)


@pytest.fixture
def quick(opens: Opens) -> HealthRecord:
    return opens(QUICK)


calls = count()


async def ends(health: HealthRecord, *signs: Sign, model: str = FLASH) -> list[Change]:
    return [await health.report(model, f"call-{next(calls)}", sign, probe=False, credit=1) for sign in signs]


async def probing(health: HealthRecord, call: str) -> Admission:
    """The first admission that is no wait."""
    async with asyncio.timeout(10):
        while isinstance(admission := await health.admit(FLASH, call), Wait):  # noqa: ASYNC110 - time must pass
            await asyncio.sleep(min(0.02, admission.left_s))
    return admission


def left(admission: Admission) -> float:
    """For how long it waits, in seconds."""
    return admission.left_s if isinstance(admission, Wait) else 0.0


async def opened(health: HealthRecord) -> None:
    assert (await ends(health, *[Sign.ILL] * 4))[-1] is Change.OPENED


async def test_calls_go_while_nothing_is_known(health: HealthRecord):
    assert await health.admit(FLASH, "a") == Go()


async def test_the_breaker_opens_on_a_rate_of_failures_once(health: HealthRecord):
    changes = await ends(health, Sign.WELL, Sign.WELL, Sign.ILL, Sign.ILL, Sign.ILL)
    assert changes == [Change.NOTHING] * 3 + [Change.OPENED, Change.NOTHING]
    admission = await health.admit(FLASH, "a")
    assert isinstance(admission, Wait)
    assert (0 < admission.left_s <= 30, admission.code) == (True, "")


async def test_few_calls_say_nothing(health: HealthRecord):
    assert set(await ends(health, *[Sign.ILL] * 3)) == {Change.NOTHING}


async def test_a_rate_below_the_threshold_opens_nothing(health: HealthRecord):
    await ends(health, *[Sign.WELL] * 6)
    assert set(await ends(health, *[Sign.ILL] * 5)) == {Change.NOTHING}


async def test_ends_that_say_nothing_are_not_counted(health: HealthRecord):
    await ends(health, *[Sign.NONE] * 9)
    assert set(await ends(health, *[Sign.ILL] * 3)) == {Change.NOTHING}


async def test_what_left_the_window_is_forgotten(opens: Opens):
    health = opens(replace(POLICY, window_s=0.1))
    await ends(health, *[Sign.ILL] * 3)
    await asyncio.sleep(0.2)
    assert await ends(health, Sign.ILL) == [Change.NOTHING]


async def test_one_models_trouble_is_not_anothers(health: HealthRecord):
    await opened(health)
    assert await health.admit(PRO, "a") == Go()


async def test_one_probe_goes_through_for_the_whole_fleet(quick: HealthRecord):
    await opened(quick)
    assert await probing(quick, "a") == Go(probe=True)
    others = [await quick.admit(FLASH, f"other-{number}") for number in range(5)]
    assert {type(other) for other in others} == {Wait}
    assert all(isinstance(other, Wait) and other.left_s <= 5 for other in others), "a probe mostly ends soon"
    assert await quick.admit(FLASH, "a") == Go(probe=True)


async def test_a_probe_that_goes_well_closes_the_breaker(quick: HealthRecord):
    await opened(quick)
    await probing(quick, "a")
    assert await quick.report(FLASH, "a", Sign.WELL, probe=True, credit=1) is Change.CLOSED
    assert await quick.admit(FLASH, "b") == Go()
    assert set(await ends(quick, *[Sign.ILL] * 3)) == {Change.NOTHING}, "old failures count no more"


async def test_each_probe_that_fails_opens_for_longer_up_to_a_bound(quick: HealthRecord):
    await opened(quick)
    for number, longer in enumerate((0.6, 1.2, 1.2)):
        await probing(quick, f"p-{number}")
        began = CLOCK.monotonic()
        assert await quick.report(FLASH, f"p-{number}", Sign.ILL, probe=True, credit=0) is Change.REOPENED
        waits = left(await quick.admit(FLASH, f"p-{number + 1}"))
        assert longer - (CLOCK.monotonic() - began) - ROUNDED_S <= waits <= longer


async def test_a_probe_that_says_nothing_lets_the_next_one_try(quick: HealthRecord):
    await opened(quick)
    await probing(quick, "a")
    await quick.report(FLASH, "a", Sign.NONE, probe=True, credit=0)
    assert await quick.admit(FLASH, "b") == Go(probe=True)


async def test_a_probe_that_is_never_heard_of_again_is_replaced(opens: Opens):
    health = opens(replace(QUICK, probe_s=0.3))
    await opened(health)
    await probing(health, "lost")
    assert await probing(health, "next") == Go(probe=True)
    assert await health.report(FLASH, "lost", Sign.ILL, probe=True, credit=0) is Change.NOTHING
    assert await health.report(FLASH, "lost", Sign.WELL, probe=True, credit=0) is Change.CLOSED


async def test_calls_that_began_before_the_breaker_opened_change_nothing(health: HealthRecord):
    await opened(health)
    assert set(await ends(health, Sign.WELL, Sign.ILL)) == {Change.NOTHING}
    assert isinstance(await health.admit(FLASH, "a"), Wait)


async def test_a_paused_account_stops_every_model(health: HealthRecord):
    assert await health.pause("first", "insufficient_balance")
    assert not await health.pause("second", "insufficient_balance")
    for model in (FLASH, PRO):
        admission = await health.admit(model, "a")
        assert isinstance(admission, Wait)
        assert admission.code == "insufficient_balance"


async def test_one_worker_looks_at_a_paused_account(quick: HealthRecord):
    await quick.pause("first", "insufficient_balance")
    looking = await probing(quick, "a")
    assert isinstance(looking, Look)
    assert looking.code == "insufficient_balance"
    assert isinstance(await quick.admit(PRO, "b"), Wait)


async def test_a_look_in_vain_pauses_on_under_what_it_found(quick: HealthRecord):
    await quick.pause("first", "insufficient_balance")
    await probing(quick, "a")
    began = CLOCK.monotonic()
    assert not await quick.pause("a", "unauthorized")
    admission = await quick.admit(FLASH, "b")
    assert isinstance(admission, Wait | Look)
    assert admission.code == "unauthorized"
    assert 0.6 - (CLOCK.monotonic() - began) - ROUNDED_S <= left(admission) <= 0.6


async def test_an_account_that_is_well_again_is_served_at_once(health: HealthRecord):
    await health.pause("first", "unauthorized")
    assert (await health.heal(), await health.heal()) == (True, False)
    assert await health.admit(FLASH, "a") == Go()


async def test_a_look_that_only_a_call_can_make_asks_the_models_breaker_alone(health: HealthRecord):
    await health.pause("first", "unauthorized")
    assert await health.admit(FLASH, "a", past_account=True) == Go()


async def test_retries_are_paid_from_a_bucket_that_runs_dry(health: HealthRecord):
    assert [await health.spend(f"r-{number}", 14) for number in range(3)] == [True, True, False]
    assert not await health.spend("r-9", 5)


async def test_successes_fill_the_bucket_again_up_to_its_size(health: HealthRecord):
    await health.spend("r-1", 28)
    await ends(health, *[Sign.WELL] * 12)
    assert [await health.spend(f"s-{number}", 14) for number in range(2)] == [True, False]
    await ends(health, *[Sign.WELL] * 100)
    assert [await health.spend(f"t-{number}", 14) for number in range(3)] == [True, True, False]


async def test_a_store_that_is_told_or_asked_twice_counts_once(store_url: str):
    async with open_store(store_url, 5, CLOCK) as store:
        health = StoreHealth(store, "fleet", "default", POLICY)
        for _ in range(9):
            assert await health.report(FLASH, "same", Sign.ILL, probe=False, credit=0) is Change.NOTHING
        assert [await health.spend("same", 14) for _ in range(5)] == [True] * 5
        assert await health.spend("another", 14)
        for _ in range(5):
            await health.report(FLASH, "well", Sign.WELL, probe=False, credit=1)
        assert not await health.spend("a-third", 5)


async def test_two_accounts_and_two_fleets_in_one_store_know_nothing_of_each_other(store_url: str):
    async with open_store(store_url, 5, CLOCK) as store:
        await StoreHealth(store, "fleet", "default", POLICY).pause("a", "unauthorized")
        for namespace, account in (("fleet", "other"), ("staging", "default")):
            assert await StoreHealth(store, namespace, account, POLICY).admit(FLASH, "b") == Go()


async def test_nothing_stays_in_the_store_for_ever(store_url: str):
    async with open_store(store_url, 5, CLOCK) as store:
        health = StoreHealth(store, "fleet", "default", POLICY)
        await opened(health)
        await ends(health, Sign.WELL, Sign.ILL, model=PRO)
        await health.pause("a", "unauthorized")
        await health.spend("b", 14)
        keys = [key.decode() for key in await store.command("KEYS", "*")]
        lives = {key: await store.command("PTTL", key) for key in keys}
    assert "fleet:{upstream}:open" in keys
    assert all(key.startswith(("fleet:{upstream}:default:", "fleet:{upstream}:open")) for key in keys)
    assert [key for key, life in lives.items() if life < 0] == ["fleet:{upstream}:default:budget"]


async def test_operators_see_which_model_is_left_alone_and_which_account_is_paused(store: SharedStore):
    pools = [f"default/{FLASH}", f"default/{PRO}"]
    async with open_store(await empty(store), 5, CLOCK) as kept_in:
        health = StoreHealth(kept_in, "fleet", "default", replace(POLICY, open_s=30, look_s=30))
        assert await troubles(kept_in, "fleet", pools, CLOCK) == []
        await opened(health)
        assert await health.pause("call", "insufficient_balance")
        paused, alone = await troubles(kept_in, "fleet", pools, CLOCK)
    assert (paused.account, paused.model, paused.code) == ("default", "", "insufficient_balance")
    assert (alone.account, alone.upstream, alone.model, alone.code) == ("", "default", FLASH, "")
    assert 0 < paused.left_s <= 30
    assert 0 < alone.left_s <= 30


async def test_operators_see_a_model_left_alone_at_an_upstream_with_a_name_of_its_own(store: SharedStore):
    policy, vendored = replace(POLICY, open_s=30), "deepseek-ai/DeepSeek-V3"
    async with open_store(await empty(store), 5, CLOCK) as kept_in:
        own = StoreHealth(kept_in, "fleet", "ours", policy, upstream="house")
        for model in (FLASH, vendored):
            await ends(own, *[Sign.ILL] * 4, model=model)
        await opened(StoreHealth(kept_in, "fleet", "default", policy, upstream="deepseek"))
        await opened(StoreHealth(kept_in, "staging", "other", policy, upstream="house"))
        pools = [f"ours/{FLASH}", f"ours/{vendored}", f"default/{FLASH}", f"second/{FLASH}"]
        found = await troubles(kept_in, "fleet", pools, CLOCK)
        assert [(one.upstream, one.model) for one in found] == [
            ("deepseek", FLASH),
            ("house", vendored),
            ("house", FLASH),
        ]


async def test_operators_see_no_more_of_a_model_that_is_well_again_or_that_nobody_has_asked_for_since(
    store: SharedStore,
):
    async with open_store(await empty(store), 5, CLOCK) as kept_in:
        health = StoreHealth(kept_in, "fleet", "default", QUICK, upstream="house")
        await opened(health)
        await ends(health, *[Sign.ILL] * 4, model=PRO)
        assert len(await troubles(kept_in, "fleet", [], CLOCK)) == 2
        await probing(health, "a")
        assert await health.report(FLASH, "a", Sign.WELL, probe=True, credit=0) is Change.CLOSED
        assert [one.model for one in await troubles(kept_in, "fleet", [], CLOCK)] == [PRO]
        await kept_in.command("DEL", f"fleet:{{upstream}}:house:model:{PRO}:breaker")
        assert await troubles(kept_in, "fleet", [], CLOCK) == []
