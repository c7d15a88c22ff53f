import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import StoreUnavailableError, open_store
from fleet_chassis.store.script import Script
from fleet_cli.stack.store.asking import ask
from fleet_cli.stack.store.store import Store
from harness.store import SharedStore, on_both_products

pytestmark = [pytest.mark.sockets, on_both_products]


async def test_the_store_is_of_the_product_that_was_asked_for(store: SharedStore, product: str) -> None:
    assert store.label.lower().startswith(product)
    assert int(store.version.partition(".")[0]) >= {"redis": 7, "valkey": 8}[product]


async def test_each_test_gets_an_empty_database(store: SharedStore) -> None:
    urls = {await store.fresh_database() for _ in range(3)}
    assert len(urls) == 3
    for url in urls:
        await ask(url, "SET", "key", 1)
        assert await ask(url, "DBSIZE") == 1
    again = [await store.fresh_database() for _ in range(16)]
    assert urls < set(again)
    assert [await ask(url, "DBSIZE") for url in again] == [0] * 16


async def test_a_script_runs_on_the_fresh_database(store_url: str) -> None:
    async with open_store(store_url, 20, SystemClock()) as store:
        script = Script("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])")
        assert await store.run(script, ["key"], ["value"]) == b"value"


async def test_a_store_of_its_own_may_be_killed_and_keeps_what_it_answered_for(own_store: Store) -> None:
    await ask(own_store.url, "SET", "key", 1)
    await own_store.kill()
    with pytest.raises(StoreUnavailableError):
        await ask(own_store.url, "PING")
    await own_store.restart()
    assert await ask(own_store.url, "GET", "key") == b"1"
