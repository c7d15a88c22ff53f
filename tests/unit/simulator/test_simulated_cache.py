"""The context cache: whole units of a common beginning, a while after they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_simulator import INSTANT, CacheRules, SimulatorConfig
from fleet_simulator.cache import ContextCache
from fleet_simulator.context import prompt_tokens, rendered
from fleet_simulator.requests import fim_request
from fleet_simulator.simulator import Simulator
from harness.clock import HandClock

# 2000 Latin characters are about 600 tokens: two whole units, and a rest.
BEGIN = "".join(f"{number:04d} sheep, " for number in range(170))
RULES = CacheRules()


def hit_after(first: str, second: str, *, scope: str = "one", now: float = 10.0) -> int:
    cache = ContextCache()
    cache.write("one", first, RULES, readable_from=10.0)
    return cache.hit(scope, second, RULES, now)


def test_a_context_is_found_again_in_whole_units() -> None:
    assert hit_after(BEGIN, BEGIN) == 512


def test_a_longer_context_finds_what_it_begins_with() -> None:
    assert hit_after(BEGIN, BEGIN + " and then something else" * 50) == 512


def test_two_contexts_share_only_what_is_the_same_from_the_first_character_on() -> None:
    assert hit_after(BEGIN + "a" * 1000, BEGIN + "b" * 1000) == 512
    assert hit_after(BEGIN, f"x{BEGIN}") == 0


def test_a_short_context_never_hits() -> None:
    assert hit_after(BEGIN[:800], BEGIN[:800]) == 0


def test_another_scope_has_a_cold_cache() -> None:
    assert hit_after(BEGIN, BEGIN, scope="two") == 0


def test_a_unit_is_readable_only_some_seconds_after_it_was_written_and_not_for_ever() -> None:
    found = [hit_after(BEGIN, BEGIN, now=now) for now in (9.9, 10.0, 10.0 + 86_399, 10.0 + 86_400)]
    assert found == [0, 512, 512, 0]


def test_writing_again_does_not_delay_what_can_be_read_already() -> None:
    cache = ContextCache()
    cache.write("one", BEGIN, RULES, readable_from=10.0)
    cache.write("one", BEGIN, RULES, readable_from=99.0)
    assert cache.hit("one", BEGIN, RULES, 50.0) == 512


def test_the_oldest_units_make_room() -> None:
    cache, rules = ContextCache(), CacheRules(capacity=3)
    for scope in ("one", "two"):
        cache.write(scope, BEGIN, rules, readable_from=0.0)
    assert [cache.hit(scope, BEGIN, rules, 1.0) for scope in ("one", "two")] == [0, 512]


@given(st.text(max_size=3000), st.text(max_size=300))
def test_whatever_a_context_is_a_longer_one_finds_as_much_of_it(context: str, more: str) -> None:
    assert hit_after(context, context + more) == hit_after(context, context)


def test_a_conversation_begins_with_its_earlier_turns() -> None:
    first = [{"role": "user", "content": "Who?"}]
    second = [*first, {"role": "assistant", "content": "Me."}, {"role": "user", "content": "Why?"}]
    assert rendered(second, ()).startswith(rendered(first, ()))


def test_earlier_reasoning_is_read_again_only_where_tools_are_on_offer() -> None:
    said = [{"role": "assistant", "content": "Me.", "reasoning_content": "Hm " * 100}]
    tool = {"type": "function", "function": {"name": "f"}}
    assert "Hm" not in rendered(said, ())
    assert "Hm" in rendered(said, [tool])
    assert prompt_tokens(said, [tool]) > prompt_tokens(said, ()) + 80


@pytest.mark.parametrize("changes", [{"hit_probability": 2.0}, {"kept_for": -1.0}, {"capacity": -1}])
def test_rules_that_make_no_sense_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        CacheRules(**changes)  # pyright: ignore[reportArgumentType]  # wrong on purpose


def test_some_of_the_prompt_is_always_read_anew() -> None:
    simulator = Simulator(SimulatorConfig(timing=INSTANT), HandClock())
    account = simulator.config.accounts[0]
    for length in range(2400, 2700, 10):
        request = fim_request({"model": "deepseek-flash", "prompt": "x" * length})
        simulator.remember(account, request, "")
        assert 512 <= simulator.cached_tokens(account, request) < request.prompt_tokens
