"""Which account takes a call, and what happens when one can't."""

import random
from collections import Counter
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import RequestType
from fleet_worker.accounts.choosing import CACHED_FROM_BYTES, Chooser, Roster
from fleet_worker.accounts.plan import Plan
from fleet_worker.accounts.standings import DOUBT_S, Standings
from fleet_worker.accounts.upstreams import Upstreams
from fleet_worker.completion import CompletionError
from fleet_worker.observing import Observer
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.upstream_health.standstill import Standstill
from harness.clock import HandClock
from harness.requests import a_request

FLASH = "deepseek-flash"
LONG = "x" * CACHED_FROM_BYTES


class House:
    def __init__(self, *accounts: dict[str, Any], seed: int = 0, **plan: Any) -> None:
        named = [{"key_env": "K", **account} for account in accounts]
        self.plan = Plan.model_validate({"accounts": named, **plan})
        self.clock = HandClock()
        roster = Roster(self.plan)
        self.standstill = Standstill(self.clock)
        self.standings = Standings(
            self.clock, self.standstill, lambda model: [one.account for one in roster.serving(model)]
        )
        self.lines: set[str] = set()
        self.chooser = Chooser(
            roster, self.standings, lambda account, _: account in self.lines, random.Random(seed)
        )
        self.registry = CollectorRegistry()
        upstream_of = {account.name: account.upstream for account in self.plan.accounts}
        observer = Observer(self.registry, structlog.get_logger())
        self.upstreams = Upstreams(
            {}, upstream_of.__getitem__, self.chooser, self.standings, observer, look_s=15
        )

    def choose(self, text: str = "Hi", **changes: Any) -> str:
        return self.chooser.choose(asking(text, **changes))

    def chosen(self, times: int = 400, **changes: Any) -> Counter[str]:
        return Counter(self.choose(f"{number}", **changes) for number in range(times))

    def hands_over(self, account: str, trouble: CompletionError | PostponedError) -> bool:
        return self.upstreams.hands_over(asking("Hi"), account, trouble)


def asking(text: str = "Hi", more: tuple[dict[str, Any], ...] = (), **changes: Any) -> Any:
    messages = [{"role": "user", "content": text}, *more]
    body = {"model": FLASH, "messages": messages, **changes.pop("body", {})}
    return a_request(body=body, payload=repr(body).encode(), **changes)


def refusal(code: ErrorCode = ErrorCode.INSUFFICIENT_BALANCE) -> CompletionError:
    return CompletionError(code, "no", again=False)


def test_calls_are_spread_by_weight():
    chosen = House({"name": "a", "weight": 3}, {"name": "b"}).chosen(1000)
    assert 650 < chosen["a"] < 850


def test_long_conversations_are_spread_by_weight_too():
    house = House({"name": "a", "weight": 3}, {"name": "b"})
    chosen = Counter(house.choose(f"{number} {LONG}") for number in range(1000))
    assert 650 < chosen["a"] < 850


@given(st.text(max_size=20), st.integers(1, 5), st.integers())
def test_all_turns_of_a_long_conversation_go_to_the_account_whose_cache_knows_it(
    text: str, turns: int, seed: int
):
    accounts = [{"name": name} for name in "abcd"]
    first = House(*accounts, seed=seed).choose(text + LONG)
    more = tuple({"role": role, "content": "and"} for role in ("assistant", "user") * turns)
    assert House(*accounts, seed=seed + 1).choose(text + LONG, more=more) == first


def test_an_account_without_weight_is_called_only_while_no_other_can_be():
    house = House({"name": "a"}, {"name": "reserve", "weight": 0})
    house.lines = {"a"}
    assert house.chosen(50) == {"a": 50}
    house.standings.stopped("a", FLASH, 10)
    assert house.chosen(50) == {"reserve": 50}


def test_an_account_with_free_permits_goes_before_one_with_a_line():
    house = House({"name": "a", "weight": 1000}, {"name": "b"})
    house.lines = {"a"}
    assert house.chosen(50) == {"b": 50}


def test_an_account_that_is_out_of_money_hands_over_until_it_is_looked_at_again():
    house = House({"name": "a", "weight": 1000}, {"name": "b"})
    assert house.choose() == "a"
    assert house.hands_over("a", refusal())
    assert house.chosen(50) == {"b": 50}
    house.clock.advance(15)
    assert house.choose() == "a"
    assert house.registry.get_sample_value("fleet_handovers_total", {"account": "a"}) == 1


def test_the_last_account_that_goes_hands_over_to_nobody():
    house = House({"name": "a"}, {"name": "b"})
    assert house.hands_over("a", refusal(ErrorCode.UNAUTHORIZED))
    assert not house.hands_over("b", refusal())
    house.clock.advance(14)
    assert house.choose() in {"a", "b"}


def test_what_is_the_requests_own_fault_is_handed_to_nobody():
    house = House({"name": "a"}, {"name": "b"})
    assert not house.hands_over("a", refusal(ErrorCode.UPSTREAM_REJECTED))
    assert not house.hands_over("a", PostponedError(Reason.RETRY_AFTER, 40))


def test_an_open_breaker_hands_over_to_an_account_that_goes():
    house = House({"name": "a"}, {"name": "b"})
    house.standings.of("a").stopped(FLASH, 0.001)
    assert house.hands_over("a", PostponedError(Reason.BREAKER, 5))
    assert house.chosen(50) == {"b": 50}
    house.standings.of("b").stopped(FLASH, 5)
    assert not house.hands_over("b", PostponedError(Reason.BREAKER, 5))


def test_after_a_failed_call_another_upstream_goes_first_for_a_moment():
    house = House(
        {"name": "a", "weight": 1000},
        {"name": "b", "upstream": "other"},
        upstreams={"other": {"base_url": "http://o"}},
    )
    assert not house.hands_over("a", refusal(ErrorCode.UPSTREAM_UNAVAILABLE))
    assert house.chosen(50) == {"b": 50}
    house.clock.advance(DOUBT_S)
    assert house.choose() == "a"


async def test_a_model_stands_still_only_when_every_account_of_it_is_stopped():
    house = House({"name": "a"}, {"name": "b"})
    house.standings.of("a").stopped(FLASH, 5)
    house.standings.of("b").goes(FLASH)
    house.standings.of("b").stopped(FLASH, 7)
    assert await house.standstill.begun() == pytest.approx(5)


def test_a_model_goes_to_its_upstreams_in_their_order_and_spills_over_where_there_is_a_line():
    house = House(
        {"name": "paid"},
        {"name": "own", "upstream": "own"},
        upstreams={"own": {"kind": "vllm", "base_url": "http://o/v1", "models": {FLASH: "ours"}}},
        models={FLASH: ["own", "deepseek"]},
    )
    assert house.chosen(50) == {"own": 50}
    assert house.chosen(50, model="deepseek-v4-pro") == {"paid": 50}
    house.lines = {"own"}
    assert house.choose() == "paid"


def test_a_request_goes_to_an_upstream_that_has_what_it_needs():
    house = House(
        {"name": "a"},
        {"name": "own", "upstream": "own"},
        upstreams={"own": {"kind": "openai", "base_url": "http://o/v1"}},
    )
    fim = {"type": RequestType.FIM, "body": {"prompt": "def"}}
    assert house.chosen(50, **fim) == {"a": 50}
    begun = {"more": ({"role": "assistant", "content": "He", "prefix": True},)}
    assert house.chosen(50, **begun) == {"a": 50}


def test_a_model_that_nobody_serves_is_refused_with_a_sentence():
    house = House({"name": "a"}, upstreams={"deepseek": {"models": {FLASH: FLASH}}})
    with pytest.raises(CompletionError, match="no upstream of the fleet serves the model gpt"):
        house.choose(model="gpt")


def test_a_feature_that_nobody_has_is_refused_with_a_sentence():
    house = House({"name": "a"}, upstreams={"deepseek": {"fim": False}})
    with pytest.raises(CompletionError, match=r"knows fim\.v1"):
        house.choose(type=RequestType.FIM)
