"""A worker whose real store stands still, is full, is slow, or is cut off."""

from typing import Any

import aiohttp
import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_cli.stack.store.store import Store
from fleet_simulator.faults import Fault, Kind
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.rules import Rules
from harness.house import House, a_house
from harness.proxy import a_proxy_before
from harness.waiting import until, until_so

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(180)]

BODY: dict[str, Any] = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]}
PATIENCE_S = 30.0


async def until_away(house: House) -> None:
    await until(lambda: "store" in (house.worker.readiness.why_not() or ""), deadline_s=PATIENCE_S)


async def until_ready(house: House) -> None:
    await until(lambda: house.worker.readiness.why_not() is None, deadline_s=PATIENCE_S)


async def answered(house: House, **properties: Any) -> str:
    await house.caller.ask(BODY, **properties)
    return (await house.caller.until_end(PATIENCE_S))[-1]["kind"]


async def until_beaten(url: str) -> None:
    """Until a worker was told, by a beat that began from now on, how many places are kept for it."""
    pool, beats = Rules().pool("deepseek-flash"), set[bytes]()
    async with open_store(url, 5, SystemClock()) as operator:

        async def twice() -> bool:
            beats.add(await operator.command("HGET", Keys("fleet").meta, f"pool|{pool}"))
            return len(beats) > 2

        await until_so(twice, deadline_s=PATIENCE_S)


async def metrics(house: House) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{house.worker.health_url}/metrics") as answer:
        return await answer.text()


async def test_a_store_that_stands_still_closes_the_door_until_it_goes_on(fleet_vhost: str, own_store: Store):
    async with a_house(fleet_vhost, REDIS_URL=own_store.url) as house:
        assert await answered(house) == "result"
        assert "fleet_store_up 1.0" in await metrics(house)
        await own_store.pause()
        await until_away(house)
        assert "fleet_store_up 0.0" in await metrics(house)
        await house.caller.ask(BODY)
        await house.caller.silence(1)
        assert len(house.simulator.log.events(kind="admitted")) == 1
        await own_store.resume()
        assert (await house.caller.until_end(PATIENCE_S))[-1]["kind"] == "result"
        await until_ready(house)
        assert "fleet_store_up 1.0" in await metrics(house)


async def test_a_request_in_hand_streams_without_the_store_where_operators_want_it_and_ends_when_it_is_back(
    fleet_vhost: str, own_store: Store
):
    limits: dict[str, Any] = {"store_down": "share", "limit_concurrency": 2, "limit_start": 2}
    body = {**BODY, "stream": True, "thinking": {"type": "disabled"}}
    async with a_house(fleet_vhost, REDIS_URL=own_store.url, **limits) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        running = await house.caller.ask(body)
        await until(lambda: len(house.simulator.log.events(kind="admitted")) == 1, deadline_s=PATIENCE_S)
        waiting = await house.caller.ask(body)
        await house.caller.next(PATIENCE_S)
        await until_beaten(own_store.url)
        assert len(house.simulator.log.events(kind="admitted")) == 1
        await own_store.pause()
        await until(lambda: len(house.simulator.log.events(kind="admitted")) == 2, deadline_s=PATIENCE_S)
        house.simulator.faults.clear()
        while (reply := await house.caller.next(PATIENCE_S))["kind"] != "chunk":
            assert reply["kind"] == "accepted"
        await own_store.resume()
        ended = set[str]()
        while ended != {running, waiting}:
            reply = await house.caller.next(PATIENCE_S)
            if reply["kind"] in {"result", "failure"}:
                assert reply["kind"] == "result"
                ended.add(reply["correlation_id"])


async def test_a_full_store_closes_the_door_until_it_has_room(fleet_vhost: str, own_store: Store):
    async with (
        a_house(fleet_vhost, REDIS_URL=own_store.url) as house,
        open_store(own_store.url, 5, SystemClock()) as operator,
    ):
        await operator.command("CONFIG", "SET", "maxmemory", 1)
        await house.caller.ask(BODY)
        await until_away(house)
        await house.caller.silence(1)
        await operator.command("CONFIG", "SET", "maxmemory", 0)
        assert (await house.caller.until_end(PATIENCE_S))[-1]["kind"] == "result"
        await until_ready(house)


async def test_a_store_without_the_replicas_that_it_needs_fails_no_request(
    fleet_vhost: str, own_store: Store
):
    async with (
        a_house(fleet_vhost, REDIS_URL=own_store.url) as house,
        open_store(own_store.url, 5, SystemClock()) as operator,
    ):
        assert await answered(house) == "result"
        await operator.command("CONFIG", "SET", "min-replicas-to-write", 1)
        await house.caller.ask(BODY)
        await until_away(house)
        await house.caller.silence(1)
        await operator.command("CONFIG", "SET", "min-replicas-to-write", 0)
        assert (await house.caller.until_end(PATIENCE_S))[-1]["kind"] == "result"


async def test_a_slow_store_makes_a_worker_slow_and_nothing_more(fleet_vhost: str, own_store: Store):
    async with (
        a_proxy_before(own_store.url) as proxy,
        a_house(fleet_vhost, REDIS_URL=proxy.before(own_store.url)) as house,
    ):
        proxy.delay(0.1)
        assert [await answered(house) for _ in range(3)] == ["result"] * 3
        await until_ready(house)


async def test_a_store_behind_a_broken_network_is_away_until_the_network_is_mended(
    fleet_vhost: str, own_store: Store
):
    async with (
        a_proxy_before(own_store.url) as proxy,
        a_house(fleet_vhost, REDIS_URL=proxy.before(own_store.url)) as house,
    ):
        assert await answered(house) == "result"
        proxy.reset()
        assert await answered(house) == "result"
        proxy.blackhole()
        await until_away(house)
        await proxy.heal()
        await until_ready(house)
        assert await answered(house) == "result"


async def test_an_answer_that_is_not_kept_any_more_is_refused_with_its_digest(
    fleet_vhost: str, store_url: str
):
    async with a_house(fleet_vhost, REDIS_URL=store_url, ledger_bodies_s=0.001) as house:
        assert await answered(house, correlation_id="once") == "result"
        await house.caller.silence()  # longer than the body is kept
        await house.caller.ask(BODY, correlation_id="once")
        refused = (await house.caller.until_end(PATIENCE_S))[-1]
        assert (refused["code"], refused["retryable"]) == ("already_answered", False)
        assert ":refused:" in refused["id"]
        assert "sha-256" in refused["message"]
        assert len(house.simulator.log.events(kind="admitted")) == 1
