"""Which call a fault meets, and how often."""

import asyncio

import pytest

from fleet_simulator import Fault, Faults, Kind, Match
from fleet_simulator.config import SimulatorConfig
from fleet_simulator.faults import Facts
from fleet_simulator.settings import changed, config_document
from fleet_simulator.wishes import fault_of

CALL = Facts("deepseek-flash", "What is a queue?", "default", stream=True)


def hits(fault: Fault, calls: int, facts: Facts = CALL) -> list[bool]:
    faults = Faults()
    faults.add(fault)
    return [fault.kind in faults.draw(facts, now=float(number)) for number in range(calls)]


def test_a_fault_meets_every_call_unless_told_otherwise() -> None:
    assert hits(Fault(Kind.RESET), 3) == [True, True, True]


def test_a_fault_can_be_limited_to_some_times() -> None:
    assert hits(Fault(Kind.RESET, times=2), 4) == [True, True, False, False]


def test_a_fault_can_meet_only_the_nth_call() -> None:
    assert hits(Fault(Kind.RESET, Match(nth=3)), 5) == [False, False, True, False, False]


@pytest.mark.parametrize(
    "match",
    [
        Match(model="deepseek-v4-pro"),
        Match(prompt="an exchange"),
        Match(account="other"),
        Match(stream=False),
    ],
    ids=["model", "prompt", "account", "stream"],
)
def test_a_fault_leaves_calls_alone_that_it_is_not_meant_for(match: Match) -> None:
    assert hits(Fault(Kind.RESET, match), 2) == [False, False]


def test_a_fault_meets_calls_by_a_piece_of_the_prompt() -> None:
    assert hits(Fault(Kind.RESET, Match(prompt="a queue")), 1) == [True]


def test_chance_is_the_same_for_the_same_seed_and_near_its_probability() -> None:
    fault = Fault(Kind.RESET, probability=0.3, seed=7)
    met = hits(fault, 1000)
    assert met == hits(fault, 1000)
    assert 250 < sum(met) < 350


def test_a_fault_ends_after_its_window() -> None:
    assert hits(Fault(Kind.STATUS, for_seconds=2.0), 4) == [True, True, False, False]


def test_faults_of_different_kinds_meet_the_same_call() -> None:
    faults = Faults()
    for fault in (Fault(Kind.SPLIT), Fault(Kind.RESET, after_chunks=1), Fault(Kind.RESET, after_chunks=9)):
        faults.add(fault)
    plan = faults.draw(CALL, 0.0)
    assert set(plan) == {Kind.SPLIT, Kind.RESET}
    assert plan[Kind.RESET].after_chunks == 1


def test_a_fault_can_be_taken_away() -> None:
    faults = Faults()
    armed = faults.add(Fault(Kind.RESET))
    assert faults.remove(armed.id)
    assert not faults.remove(armed.id)
    assert not faults.draw(CALL, 0.0)


@pytest.mark.parametrize("alone", [True, False])
async def test_who_waits_for_a_fault_to_be_taken_away_goes_on_then_and_waits_for_no_other(
    *, alone: bool
) -> None:
    faults, fault = Faults(), Fault(Kind.HOLD)
    faults.add(Fault(Kind.HOLD))
    armed = faults.add(fault)
    waiting = asyncio.create_task(faults.until_lifted(fault))
    await asyncio.sleep(0)
    assert not waiting.done()
    if alone:
        faults.remove(armed.id)
    else:
        faults.clear()
    await waiting
    await faults.until_lifted(fault)


def test_a_fault_is_read_from_json() -> None:
    document = {"kind": "split", "sizes": [1, 2], "match": {"model": "deepseek-flash"}, "times": 1}
    assert fault_of(document) == Fault(Kind.SPLIT, Match(model="deepseek-flash"), times=1, sizes=(1, 2))


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"kind": "explode"}, "unknown kind 'explode': use one of"),
        ({}, "unknown kind None: use one of"),
        ({"kind": "reset", "chunks": 1}, "Fault has no ['chunks']: use"),
        ({"kind": "reset", "match": {"key": 1}}, "Match has no ['key']: use"),
        ({"kind": "reset", "times": "1"}, "times must be a whole number from 0 up"),
        ({"kind": "stall", "seconds": -1}, "seconds must be a number from 0 up"),
        ({"kind": "status", "retry_after": 7}, "retry_after must be a string"),
        ({"kind": "split", "sizes": [0]}, "sizes must be a list of numbers from 1 up"),
    ],
)
def test_a_fault_that_cannot_be_read_says_what_can(document: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("[", r"\[").replace("]", r"\]")):
        fault_of(document)


def test_settings_are_changed_in_part() -> None:
    config = changed(
        SimulatorConfig(), {"timing": {"headers": 0}, "limits": {"deepseek-flash": 3}, "speed": 2}
    )
    assert config.timing.headers == 0
    assert config.timing.keep_alive == 12.4
    assert config.limits == {"deepseek-flash": 3, "deepseek-v4-pro": 500}
    assert config.pace.keep_alive == 6.2


def test_settings_are_shown_without_keys() -> None:
    assert "sk-simulator" not in str(config_document(SimulatorConfig()))


def test_a_setting_that_cannot_change_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot change"):
        changed(SimulatorConfig(), {"log_capacity": 1})
