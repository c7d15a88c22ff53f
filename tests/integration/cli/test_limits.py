"""The shared limiter as an operator sees and steers it, while a worker's limiter runs on the store."""

import asyncio
import json
from typing import Any

import pytest

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.limiter.overview import Overview
from harness.commands import fleet
from harness.limiters import CLOCK, LimitedWorker, a_limited_worker, an_answer, too_many, until_so
from harness.requests import a_request

pytestmark = pytest.mark.sockets

PATIENCE_S = 20.0


async def shown(url: str, *arguments: str) -> Any:
    status, output = await fleet(url, *arguments, "--json")
    assert status == 0, output
    return json.loads(output)


async def taken(worker: LimitedWorker, **changes: Any) -> Any:
    return await worker.limiter.acquire(a_request(**changes), Deadline(CLOCK.monotonic() + 60))


async def until_it_stands(worker: LimitedWorker, **so: Any) -> None:
    """Wait until the pool stands so: what was set or given back comes about with a worker's next word."""

    async def stands() -> bool:
        pools = (await Overview(worker.store, "fleet", CLOCK).view()).pools
        return any(all(getattr(pool, name) == value for name, value in so.items()) for pool in pools)

    await until_so(stands, PATIENCE_S)


async def test_a_limit_set_from_the_command_line_holds_at_once_and_is_shown(store_url: str):
    async with a_limited_worker(store_url, "w1", timeout_s=PATIENCE_S) as worker:
        status, output = await fleet(store_url, "limits", "set", "deepseek-flash", "--concurrency", "2")
        assert (status, output) == (0, "set; every worker obeys from its next call on\n")
        permits = [await taken(worker) for _ in range(2)]
        waiting = asyncio.create_task(taken(worker, tenant="beta"))
        await until_it_stands(worker, limit=2, in_flight=2, waiting=1)
        view = await shown(store_url, "limits")
        (pool,) = view["pools"]
        assert (pool["pool"], pool["limit"], pool["in_flight"], pool["waiting"]) == (
            "default/deepseek-flash",
            2,
            2,
            1,
        )
        assert pool["tenants"] == {"acme": {"in_flight": 2}, "beta": {"waiting": 1}}
        assert view["workers"] == 1
        assert pool["holders"] == {"w1": 2}
        assert pool["oldest_ms"] > 0
        await fleet(store_url, "limits", "set", "deepseek-flash", "--concurrency", "3")
        permits.append(await asyncio.wait_for(waiting, PATIENCE_S))
        for permit in permits:
            permit.release(an_answer())


async def test_a_budget_is_refused_with_the_figure_and_when_it_ends(store_url: str):
    async with a_limited_worker(store_url, "w1", timeout_s=PATIENCE_S) as worker:
        await fleet(store_url, "tenant", "set", "acme", "--day", "0.000001")
        with pytest.raises(CompletionError) as refused:
            await taken(worker)
    assert refused.value.code is ErrorCode.BUDGET_EXCEEDED
    assert "US dollars for this day" in refused.value.message
    assert "00:00 UTC" in refused.value.message
    assert await shown(store_url, "tenant", "list") == {"acme": {"day": 0.000001}}
    await fleet(store_url, "tenant", "clear", "acme")
    assert await shown(store_url, "tenant", "list") == {}
    status, output = await fleet(store_url, "tenant", "clear", "acme")
    assert (status, output) == (2, "fleet: no limit is set for acme: see `fleet tenant list`\n")


async def test_use_is_added_up_by_what_is_asked_for(store_url: str):
    async with a_limited_worker(store_url, "w1", timeout_s=PATIENCE_S) as worker:
        for tenant in ("acme", "acme", "beta"):
            (await taken(worker, tenant=tenant)).release(an_answer(1000, 2000))
        await worker.limiter.desk.aclose()
        rows = await shown(store_url, "usage", "--by", "tenant")
    assert [(row["tenant"], row["calls"], row["input"], row["output"]) for row in rows] == [
        ("acme", 2, 2000, 4000),
        ("beta", 1, 1000, 2000),
    ]
    assert rows[0]["dollars"] == pytest.approx(2 * rows[1]["dollars"])
    off_peak = 0.00135
    assert any(rows[1]["dollars"] == pytest.approx(factor * off_peak) for factor in (1, 2))


async def test_what_was_set_is_taken_away_by_model_or_all_at_once(store_url: str):
    async with a_limited_worker(store_url, "w1", timeout_s=PATIENCE_S) as worker:
        await fleet(store_url, "limits", "set", "deepseek-flash", "--rpm", "60", "--reserve", "0")
        await until_it_stands(worker, rpm=60)
        assert (await shown(store_url, "limits"))["pools"][0]["rpm"] == 60
        status, output = await fleet(store_url, "limits", "set", "deepseek-flsh", "--rpm", "60")
        assert status == 0
        assert "no worker has called default/deepseek-flsh yet" in output
        assert (await fleet(store_url, "limits", "clear", "deepseek-flsh"))[0] == 0
        assert set((await shown(store_url, "limits"))["settings"]) == {
            "pool|default/deepseek-flash|rpm",
            "reserve",
        }
        status, output = await fleet(store_url, "limits", "clear")
        assert (status, output.partition(";")[0]) == (0, "taken away")
        assert (await shown(store_url, "limits"))["settings"] == {}
        status, output = await fleet(store_url, "limits", "clear", "deepseek-flash")
    assert status == 2
    assert "no limit is set for default/deepseek-flash" in output


async def test_a_learned_limit_can_be_forgotten_where_its_reason_is_gone(store_url: str):
    async with a_limited_worker(store_url, "w1", timeout_s=PATIENCE_S) as worker:
        permits = [await taken(worker) for _ in range(3)]
        for permit in permits:
            permit.release(too_many(1))
        await until_it_stands(worker, limit=1, told=1, in_flight=0)
        status, page = await fleet(store_url, "limits")
        assert "`fleet limits relearn` forgets it" in page
        (pool,) = (await shown(store_url, "limits"))["pools"]
        assert (pool["limit"], pool["configured"], pool["told"]) == (1, 4, 1)
        status, _ = await fleet(store_url, "limits", "relearn", "deepseek-flash")
        assert status == 0
        permits = [await asyncio.wait_for(taken(worker), PATIENCE_S) for _ in range(4)]
        await until_it_stands(worker, in_flight=4)
        (pool,) = (await shown(store_url, "limits"))["pools"]
        assert (pool["limit"], pool["told"], pool["learned"]) == (4, 0, False)
        for permit in permits:
            permit.release(an_answer())
    status, output = await fleet(store_url, "limits", "relearn", "deepseek-flsh")
    assert (status, "no worker has called default/deepseek-flsh" in output) == (2, True)


async def test_a_limit_beyond_all_sense_that_somebody_wrote_into_the_store_can_be_looked_at(store_url: str):
    async with a_limited_worker(store_url, "w1", timeout_s=PATIENCE_S) as worker:
        await Overview(worker.store, "fleet", CLOCK).set_pool("default/deepseek-flash", concurrency=1e20)
        await until_it_stands(worker, configured=10**20)
        (pool,) = (await shown(store_url, "limits"))["pools"]
    assert pool["configured"] == 10**20


async def test_where_nothing_is_set_or_used_that_is_said(store_url: str):
    assert (await fleet(store_url, "tenant", "list"))[1].startswith("nothing is set for any tenant")
    assert await fleet(store_url, "usage") == (0, "nothing was used in the last 7 days\n")


async def test_without_a_store_it_says_where_the_limits_are():
    status, output = await fleet("", "limits", "show")
    assert status == 2
    assert "REDIS_URL is not set" in output
