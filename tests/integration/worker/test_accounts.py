"""Several accounts: who pays, who hands over, and what is told of it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_contracts.grammar import OnBreak
from fleet_simulator import Account, Fault, Kind, Match, Running, SimulatorConfig, serve
from fleet_worker.ledger.holder import decoded
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import Times
from harness.caller import Caller
from harness.house import a_house
from harness.waiting import until

pytestmark = pytest.mark.sockets

CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Hello"}],
    "thinking": {"type": "disabled"},
}
TWO = """
[[accounts]]
name = "first"
key_env = "FIRST_KEY"

[[accounts]]
name = "second"
key_env = "SECOND_KEY"
weight = 0
"""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRST_KEY", "sk-CANARY-first")
    monkeypatch.setenv("SECOND_KEY", "sk-CANARY-second")


def two_accounts(first: str = "100.00", second: str = "100.00") -> SimulatorConfig:
    accounts = (
        Account("one", ("sk-CANARY-first",), balance=first),
        Account("two", ("sk-CANARY-second",), balance=second),
    )
    return replace(SimulatorConfig(accounts=accounts).at_once())


def written(folder: Path, text: str) -> str:
    path = folder / "accounts.toml"
    path.write_text(text)
    return str(path)


async def answered(caller: Caller, times: int) -> Counter[str | None]:
    """Who paid for so many answers; each request must end in one."""
    await ask(caller, times)
    return await answers(caller, times)


async def ask(caller: Caller, times: int) -> None:
    for number in range(times):
        await caller.ask({**CALM, "messages": [{"role": "user", "content": f"Hello {number}"}]})


async def answers(caller: Caller, times: int) -> Counter[str | None]:
    paid: Counter[str | None] = Counter()
    for _ in range(times):
        end = (await caller.until_end())[-1]
        assert end["kind"] == "result", end
        paid[end["account"]] += 1
    return paid


async def turn(caller: Caller, conversation: str) -> dict[str, Any]:
    """One turn, to its end; long enough for an account's cache."""
    messages = [{"role": "user", "content": f"{conversation} " + "It says baa! " * 100}]
    body = {**CALM, "messages": messages, "max_tokens": 20}
    await caller.ask(body, headers={"fleet-conversation": conversation})
    end = (await caller.until_end())[-1]
    assert end["kind"] == "result", end
    return end


def calls(simulator: Running, account: str) -> int:
    events = simulator.log.events(kind="admitted")
    return sum(event.fields["account"] == account for event in events)


@pytest.mark.usefixtures("keys")
async def test_an_account_that_runs_out_of_money_hands_over_and_no_request_fails(
    fleet_vhost: str, tmp_path: Path
):
    accounts = written(tmp_path, TWO)
    async with a_house(fleet_vhost, two_accounts("0.0001"), accounts_file=accounts) as house:
        # Calls that run when the money ends are served, so the first burst may be paid by it alone.
        assert sum((await answered(house.caller, 10)).values()) == 10
        assert await answered(house.caller, 20) == {"second": 20}
        metrics = await told(house.worker.health_url)
        assert 'fleet_account_paused{account="first",code="insufficient_balance"} 1.0' in metrics
        assert 'fleet_answers_total{account="second"}' in metrics
        assert "CANARY" not in metrics


@pytest.mark.usefixtures("keys")
async def test_an_account_that_is_topped_up_is_called_again(fleet_vhost: str, tmp_path: Path):
    accounts = written(tmp_path, TWO)
    settings: dict[str, Any] = {"accounts_file": accounts, "account_look_s": 0.2}
    async with a_house(fleet_vhost, two_accounts("0.00"), **settings) as house:
        assert await answered(house.caller, 3) == {"second": 3}
        one, two = house.simulator.simulator.config.accounts
        house.simulator.configure(accounts=(replace(one, balance="10.00"), two))

        async def paid_by_the_first() -> bool:
            return bool((await answered(house.caller, 1))["first"])

        await until_async(paid_by_the_first)


@pytest.mark.usefixtures("keys")
async def test_an_account_whose_key_is_refused_hands_over_and_the_ledger_tells_of_it(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    config = two_accounts()
    config = replace(config, accounts=(replace(config.accounts[0], keys=("sk-other",)), config.accounts[1]))
    settings: dict[str, Any] = {
        "accounts_file": written(tmp_path, TWO),
        "REDIS_URL": store_url,
        "namespace": tmp_path.name,
    }
    async with a_house(fleet_vhost, config, **settings) as house:
        await house.caller.ask(CALM, correlation_id="told", headers={"fleet-tenant": "acme"})
        end = (await house.caller.until_end())[-1]
        assert (end["kind"], end["account"], end["attempts"]) == ("result", "second", 2)
        trials = await tried(store_url, tmp_path.name, ("acme", "told", 0))
    assert [(trial.account, trial.outcome) for trial in trials] == [
        ("first", "unauthorized"),
        ("second", "result"),
    ]


@pytest.mark.usefixtures("keys")
async def test_while_no_account_can_pay_requests_wait_and_none_fails(fleet_vhost: str, tmp_path: Path):
    accounts = written(tmp_path, TWO)
    settings: dict[str, Any] = {"accounts_file": accounts, "account_look_s": 0.5}
    async with a_house(fleet_vhost, two_accounts("0.00", "0.00"), **settings) as house:
        await house.caller.ask(CALM)
        await house.simulator.log.wait_for(
            lambda event: event.kind == "refused" and len(house.simulator.log.events(kind="refused")) >= 2,
            within=20,
        )
        one, two = house.simulator.simulator.config.accounts
        house.simulator.configure(accounts=(one, replace(two, balance="10.00")))
        async with asyncio.timeout(60):
            end = (await house.caller.until_end())[-1]
        assert (end["kind"], end["account"]) == ("result", "second")


@pytest.mark.usefixtures("keys")
async def test_text_that_was_sent_is_continued_by_the_next_account(fleet_vhost: str, tmp_path: Path):
    accounts = written(tmp_path, TWO)
    async with a_house(fleet_vhost, two_accounts(), accounts_file=accounts) as house:
        house.simulator.inject(Fault(Kind.RESET, Match(account="one"), times=1, after_chunks=5))
        house.simulator.inject(Fault(Kind.STATUS, Match(account="one", nth=2), status=402))
        headers = {"fleet-on-break": OnBreak.CONTINUE.value}
        await house.caller.ask({**CALM, "stream": True}, headers=headers)
        replies = await house.caller.until_end()
        assert replies[-1]["kind"] == "result"
        assert replies[-1]["account"] == "second"
        assert "restarted" not in {reply["kind"] for reply in replies}
        said = "".join(reply["delta"].get("content", "") for reply in replies if reply["kind"] == "chunk")
        assert said == replies[-1]["response"]["choices"][0]["message"]["content"]


@pytest.mark.usefixtures("keys")
async def test_each_account_has_a_pool_of_its_own(fleet_vhost: str, tmp_path: Path):
    limits = "limits = { concurrency = 2 }\n"
    accounts = TWO.replace("weight = 0\n", limits).replace('"FIRST_KEY"\n', f'"FIRST_KEY"\n{limits}')
    async with a_house(fleet_vhost, two_accounts(), accounts_file=written(tmp_path, accounts)) as house:
        house.simulator.inject(Fault(Kind.HOLD))
        await ask(house.caller, 12)
        await until(lambda: len(house.simulator.log.events(kind="admitted")) == 4)
        house.simulator.faults.clear()
        assert set(await answers(house.caller, 12)) == {"first", "second"}
        for account in ("one", "two"):
            assert house.simulator.limits.peak(account, "deepseek-flash") == 2


@pytest.mark.usefixtures("keys")
async def test_a_conversation_stays_with_its_account_and_goes_on_with_another(
    fleet_vhost: str, tmp_path: Path
):
    accounts = written(tmp_path, TWO.replace("weight = 0\n", ""))
    async with a_house(fleet_vhost, two_accounts(), accounts_file=accounts) as house:
        names = [f"talk-{number}" for number in range(6)]
        began = {name: await turn(house.caller, name) for name in names}
        went_on = {name: await turn(house.caller, name) for name in names}
        paid = {name: end["account"] for name, end in began.items()}
        assert set(paid.values()) == {"first", "second"}
        assert {name: end["account"] for name, end in went_on.items()} == paid
        for end in went_on.values():
            assert end["response"]["usage"]["prompt_cache_hit_tokens"] > 0
        one, two = house.simulator.simulator.config.accounts
        house.simulator.configure(accounts=(replace(one, balance="0.00"), two))
        name = next(name for name in names if paid[name] == "first")
        end = await turn(house.caller, name)
        assert (end["account"], end["conversation"]) == ("second", {"id": name, "version": 3})
        # The next account is sent all that was said, though it has cached none of it.
        sent = [one["response"]["usage"]["prompt_tokens"] for one in (began[name], went_on[name], end)]
        assert sent == sorted(set(sent))
        assert end["response"]["usage"]["prompt_cache_hit_tokens"] == 0


@pytest.mark.usefixtures("keys")
async def test_a_model_of_ones_own_server_is_asked_for_by_its_own_name_and_costs_nothing(
    fleet_vhost: str, tmp_path: Path
):
    plan = """
[[accounts]]
name = "own"
upstream = "own"
key_env = "FIRST_KEY"

[upstreams.own]
kind = "vllm"
base_url = "%s/v1"
models = { "our-flash" = "deepseek-v4-flash" }
"""
    async with serve(two_accounts()) as other:
        accounts = written(tmp_path, plan % other.base_url)
        async with a_house(fleet_vhost, accounts_file=accounts) as house:
            await house.caller.ask({**CALM, "model": "our-flash", "user_id": "u", "stream": True})
            end = (await house.caller.until_end())[-1]
            assert (end["kind"], end["account"], end["cost"]) == ("result", "own", None)
            assert end["response"]["usage"]["completion_tokens"] > 0
            await house.caller.ask(CALM)
            end = (await house.caller.until_end())[-1]
            assert (end["code"], end["retryable"]) == ("upstream_rejected", False)
            assert "no upstream of the fleet serves the model deepseek-flash" in end["message"].lower()
        assert calls(other, "one") == 1


async def until_async(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110  # each time is another request
            await asyncio.sleep(0.2)


async def told(health_url: str) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{health_url}/metrics")).text


async def tried(store_url: str, namespace: str, key: tuple[str, str, int]) -> list[Any]:
    async with open_store(store_url, 2, SystemClock()) as store:
        record = await StoreRecords(store, namespace, Times()).look(key)
    assert record is not None
    return [decoded(record.trials[number]) for number in sorted(record.trials)]
