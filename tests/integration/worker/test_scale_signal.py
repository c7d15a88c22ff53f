"""What an autoscaler asks a worker: for how many calls workers would be useful."""

from dataclasses import replace

import httpx
import orjson
import pytest

from fleet_cli.stack.store.store import Store
from fleet_simulator.faults import Fault, Kind
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import ScaleSignal
from fleet_worker.limiter.rules import AccountLimits
from harness.house import House, a_house
from harness.limiters import CLOCK, QUICK, a_limited_worker, an_answer
from harness.requests import BODY, a_request
from harness.waiting import until, until_so

pytestmark = pytest.mark.sockets


async def scale_of(house: House) -> httpx.Response:
    async with httpx.AsyncClient(base_url=house.worker.health_url) as client:
        return await client.get("/scale")


async def test_while_nothing_runs_no_further_worker_is_useful(fleet_vhost: str, store_url: str):
    async with a_house(fleet_vhost, redis_url=store_url, limit_concurrency=7) as house:
        assert (await scale_of(house)).json() == {"useful": 0, "limit": 7, "in_flight": 0}


async def test_the_limit_of_every_model_that_is_called_counts(fleet_vhost: str, store_url: str):
    async with a_house(fleet_vhost, redis_url=store_url, limit_concurrency=7) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        for model in ("deepseek-flash", "deepseek-v4-pro"):
            await house.caller.ask(orjson.dumps({**BODY, "model": model, "stream": True}))
        await until(lambda: len(house.simulator.log.events(kind="admitted")) == 2)

        async def is_told() -> bool:
            return (await scale_of(house)).json() == {"useful": 4, "limit": 14, "in_flight": 2}

        await until_so(is_told)


async def test_where_requests_wait_for_a_permit_no_further_worker_is_useful(fleet_vhost: str, store_url: str):
    async with a_house(fleet_vhost, redis_url=store_url, limit_concurrency=2) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        for _ in range(6):
            await house.caller.ask(orjson.dumps({**BODY, "stream": True}))

        async def is_told() -> bool:
            return (await scale_of(house)).json() == {"useful": 2, "limit": 2, "in_flight": 2}

        await until_so(is_told)


async def test_a_worker_that_shares_with_nobody_tells_no_figure(fleet_vhost: str):
    async with a_house(fleet_vhost, limit_concurrency=3) as house:
        assert (await scale_of(house)).status_code == 503


async def test_while_the_store_is_away_no_figure_is_made_up(fleet_vhost: str, own_store: Store):
    async with a_house(fleet_vhost, redis_url=own_store.url) as house:
        await own_store.kill()
        assert (await scale_of(house)).status_code == 503
        await own_store.restart()

        async def is_told() -> bool:
            return (await scale_of(house)).status_code == 200

        await until_so(is_told, deadline_s=30)


async def test_the_limits_of_every_account_that_is_called_count(store_url: str):
    accounts = {"first": AccountLimits(concurrency=3), "second": AccountLimits(concurrency=4)}
    rules = replace(QUICK, account="first", accounts=accounts)
    async with a_limited_worker(store_url, "w1", rules) as worker:
        signal = ScaleSignal(rules, CLOCK, (worker.store, "fleet"))

        async def tells(limit: int, in_flight: int) -> None:
            async def is_told() -> bool:
                told = await signal.read() or {}
                return (told.get("limit"), told.get("in_flight")) == (limit, in_flight)

            await until_so(is_told)

        await tells(7, 0)
        deadline = Deadline(CLOCK.monotonic() + 30)
        second = await worker.limiter.acquire(a_request(), deadline, account="second")
        await tells(4, 1)
        first = await worker.limiter.acquire(a_request(), deadline, account="first")
        await tells(7, 2)
        for permit in (first, second):
            permit.release(an_answer())
        await tells(7, 0)
