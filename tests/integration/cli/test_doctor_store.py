import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_cli.doctor.calls import check_calls
from fleet_cli.doctor.check import Check, State
from fleet_cli.doctor.store import check_store
from fleet_cli.stack.stack_env import namespace_of
from fleet_cli.stack.store.asking import ask
from fleet_cli.stack.store.store import Store
from fleet_worker.upstream_health import HealthPolicy, StoreHealth
from fleet_worker.upstream_health.signs import Sign
from harness.clock import HandClock
from harness.store import on_both_products

pytestmark = pytest.mark.sockets


async def checked(url: str) -> dict[str, Check]:
    return {check.name: check for check in await check_store({"REDIS_URL": url}, SystemClock())}


@on_both_products
async def test_the_stacks_own_store_is_fine(own_store: Store):
    found = await checked(own_store.url)
    assert {name: check.line() for name, check in found.items() if check.state is not State.FINE} == {}
    assert own_store.label in found["store"].found
    assert len(found) == 4


@on_both_products
async def test_a_store_that_may_forget_or_keeps_nothing_says_what_to_set(own_store: Store):
    await ask(own_store.url, "CONFIG", "SET", "maxmemory", "50mb", "maxmemory-policy", "allkeys-lru")
    await ask(own_store.url, "CONFIG", "SET", "appendonly", "no")
    found = await checked(own_store.url)
    assert found["store memory"].state is State.FAILED
    assert "52 MB at most" in found["store memory"].found
    assert found["store disk"].state is State.WARNING


async def test_a_store_whose_time_is_another_is_told(own_store: Store):
    *_, clock = await check_store({"REDIS_URL": own_store.url}, HandClock(now_ms=1_000_000_000_000))
    assert clock.state is State.WARNING
    assert "ahead of this machine's" in clock.found


async def test_where_no_store_listens_the_place_is_named_and_the_password_is_not():
    found = await checked("redis://:secret-word@127.0.0.1:1/0")
    assert found["store"].state is State.FAILED
    assert "127.0.0.1:1" in found["store"].found
    assert "secret-word" not in str(found)
    assert found["store clock"].state is State.SKIPPED


async def test_a_wrong_password_is_a_failure_that_does_not_show_it(own_store: Store):
    place = own_store.url.rpartition("@")[2]
    found = await checked(f"redis://:wrong-word@{place}")
    assert found["store"].state is State.FAILED
    assert "Authentication" in found["store"].found
    assert "wrong-word" not in str(found)


async def test_a_user_who_may_not_ask_is_told_which_right_is_lacking(own_store: Store):
    await ask(own_store.url, "ACL", "SETUSER", "narrow", "on", ">word", "~*", "+ping", "+@connection")
    place = own_store.url.rpartition("@")[2]
    found = await checked(f"redis://narrow:word@{place}")
    assert found["store"].state is State.FAILED
    assert "'info'" in found["store"].found
    assert "let its user run INFO" in found["store"].advice


async def test_a_model_left_alone_at_an_upstream_of_any_name_is_told_without_an_accounts_file(store_url: str):
    said = {"REDIS_URL": store_url}
    assert [check.state for check in await check_calls(said, SystemClock())] == [State.FINE]
    async with open_store(store_url, 20, SystemClock()) as kept_in:
        policy = HealthPolicy(min_calls=4, open_s=30)
        health = StoreHealth(kept_in, namespace_of(said), "ours", policy, upstream="house")
        for number in range(4):
            await health.report("deepseek-flash", f"call-{number}", Sign.ILL, probe=False, credit=0)
    (check,) = await check_calls(said, SystemClock())
    assert check.state is State.FAILED
    assert "deepseek-flash at house is left alone" in check.found
