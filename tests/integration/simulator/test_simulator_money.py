"""Balance, limits that fall with it, bursts and the context cache, seen by a client."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from fleet_simulator import (
    DEFAULT_KEY,
    INSTANT,
    Account,
    Fault,
    Kind,
    Running,
    SimulatorConfig,
    serve,
)
from harness.clock import HandClock
from harness.sse import a_chat, chunks_in

KEY = {"Authorization": f"Bearer {DEFAULT_KEY}"}
WHOLE: dict[str, Any] = {"stream": False}
MAKES_NO_ANSWER = [Fault(Kind.HANG_BEFORE_HEADERS), Fault(Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN)]
# About 900 tokens: three whole units and a rest.
LONG = "Count these sheep: " + ", ".join(f"sheep {number:04d}" for number in range(250))


def poor(balance: str, currency: str = "USD") -> SimulatorConfig:
    account = Account("default", (DEFAULT_KEY,), balance=balance, currency=currency)
    return SimulatorConfig(accounts=(account,), timing=INSTANT)


async def ask(http: httpx.AsyncClient, question: str = "Who?", **changes: Any) -> httpx.Response:
    return await http.post("/chat/completions", json=a_chat(question, **{**WHOLE, **changes}), headers=KEY)


async def usage(http: httpx.AsyncClient, question: str = LONG, **changes: Any) -> dict[str, Any]:
    reply = await ask(http, question, **changes)
    found = chunks_in(reply.text)[-1]["usage"] if changes.get("stream") else reply.json()["usage"]
    hit = found["prompt_cache_hit_tokens"]
    assert hit + found["prompt_cache_miss_tokens"] == found["prompt_tokens"]
    assert found["prompt_tokens_details"]["cached_tokens"] == hit
    return found


@pytest.mark.parametrize("stream", [True, False])
async def test_every_call_is_charged_by_its_usage_at_the_price_of_the_hour(*, stream: bool) -> None:
    # 1795000000 is Wednesday, 2026-11-18, 11:06 UTC; 22 hours later it is 09:06, in the peak.
    clock = HandClock()
    async with (
        serve(poor("10.00"), clock=clock) as simulator,
        httpx.AsyncClient(base_url=simulator.base_url) as http,
    ):
        costs: list[Decimal] = []
        for hours in (0, 22):
            clock.advance(hours * 3600)
            before, used = simulator.balance(), await usage(http, "Who?", stream=stream)
            await simulator.log.wait_for(lambda event: event.kind == "closed")
            costs.append(before - simulator.balance())
        charged = simulator.log.events(kind="charged")
    price = Decimal("0.15") * used["prompt_tokens"] + Decimal("0.60") * used["completion_tokens"]
    assert costs == [price / 1_000_000, 2 * price / 1_000_000]
    assert [event.fields["amount"] for event in charged] == [f"{cost:f}" for cost in costs]
    assert charged[0].fields["output"] == used["completion_tokens"]


async def test_the_balance_endpoint_tells_what_is_left_in_strings(http: httpx.AsyncClient) -> None:
    account = {"name": "default", "keys": [DEFAULT_KEY], "balance": "110.00", "granted": "10.00"}
    await http.post("/_simulator/config", json={"accounts": [account]})
    assert (await http.get("/user/balance")).json() == {
        "is_available": True,
        "balance_infos": [
            {
                "currency": "CNY",
                "total_balance": "110.00",
                "granted_balance": "10.00",
                "topped_up_balance": "100.00",
            }
        ],
    }


async def test_an_account_runs_dry_and_then_every_call_is_a_402_until_it_is_topped_up() -> None:
    async with (
        serve(poor("0.0005")) as simulator,
        httpx.AsyncClient(base_url=simulator.base_url, headers=KEY) as http,
    ):
        statuses = [(await ask(http)).status_code for _ in range(12)]
        fim = await http.post("/beta/completions", json={"model": "deepseek-flash", "prompt": "x"})
        money = (await http.get("/user/balance")).json()
        healthy = await http.get("/models")
        await http.post("/_simulator/config", json={"balances": {"default": "5.00"}})
        again = await ask(http)
    paid = statuses.count(200)
    assert 0 < paid < 12
    assert statuses == [200] * paid + [402] * (12 - paid)
    assert (fim.status_code, fim.json()["error"]["message"]) == (402, "Insufficient Balance")
    assert money["is_available"] is False
    assert (healthy.status_code, again.status_code) == (200, 200)


async def test_the_limit_in_a_429_falls_with_the_balance_down_to_five() -> None:
    async with (
        serve(poor("10.00")) as simulator,
        httpx.AsyncClient(base_url=simulator.base_url, headers=KEY) as http,
    ):
        simulator.inject(Fault(Kind.STATUS, status=429))
        limits: list[int] = []
        for balance in ("10.00", "1.00", "0.02"):
            await http.post("/_simulator/config", json={"balances": {"default": balance}})
            told = (await ask(http, model="deepseek-v4-pro")).json()["error"]["message"]
            limits.append(int(told.partition("limit of ")[2].split()[0]))
        await http.post("/_simulator/config", json={"curve": {"points": [[0, 1], [1, 1]]}})
        level = simulator.limits.limit("default", "deepseek-v4-pro")
    assert limits == [500, 50, 5]
    assert level == 500


@pytest.mark.parametrize("fault", MAKES_NO_ANSWER, ids=lambda fault: fault.kind)
async def test_a_call_without_an_answer_costs_nothing(simulator: Running, fault: Fault) -> None:
    simulator.inject(fault)
    async with httpx.AsyncClient(base_url=simulator.base_url, timeout=60) as http:
        waiting = asyncio.create_task(http.post("/chat/completions", json=a_chat(), headers=KEY))
        await simulator.log.wait_for(lambda event: event.kind == "admitted")
        await asyncio.wait([waiting], timeout=0.2)
        assert waiting.cancel()
        await asyncio.wait([waiting])
    await simulator.log.wait_for(lambda event: event.kind == "closed")
    assert simulator.log.events(kind="charged") == []


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.EOF_WITHOUT_DONE, Kind.FINISH_REASON])
async def test_a_call_that_breaks_off_is_charged(
    simulator: Running, http: httpx.AsyncClient, kind: Kind
) -> None:
    simulator.inject(Fault(kind, after_chunks=3))
    before = simulator.balance()
    try:
        await http.post("/chat/completions", json=a_chat())
    except httpx.TransportError:
        assert kind is Kind.RESET
    await simulator.log.wait_for(lambda event: event.kind == "closed")
    assert simulator.balance() < before
