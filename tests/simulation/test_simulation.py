"""A slice of `make simulate`: some seeds of the delivery protocol in simulated trouble, and some mutants."""

import random
from dataclasses import replace

import pytest

from simulation.caller import Ask
from simulation.mutants import MUTANTS
from simulation.run import hunt, simulate, simulate_many
from simulation.scenario import CALM, Fault, Scenario, Trouble, drawn

SEEDS = 60
"""Four seconds' worth, with all that follows; `make simulate` runs as many as it is told."""
MOST_STEPS_OF_A_REQUEST = 200
ONE_REQUEST = Scenario(
    workers=1,
    concurrency=2,
    limit=1,
    asks=(Ask(cid="c0", at_s=0.5),),
    weather=CALM,
    troubles=(),
    shuffled=False,
    seed=7,
)


def test_every_request_ends_once_whatever_happens_to_workers_broker_and_store():
    assert [(one.seed, one.wrong) for one in simulate_many(range(SEEDS))] == []


def test_a_worker_may_be_killed_before_any_step_of_a_request():
    calls: set[int] = set()
    for steps in range(MOST_STEPS_OF_A_REQUEST):
        killed = Trouble(Fault.KILL, at_s=0.5, lasts_s=0, slot=0, steps=steps)
        verdict = simulate(7, replace(ONE_REQUEST, troubles=(killed,)))
        assert verdict.wrong == [], f"killed before step {steps}"
        calls.add(sum(event.what == "call begins" for event in verdict.history.events))
        if not any(event.what == "is dead" for event in verdict.history.events):
            break
    else:
        pytest.fail("a request takes more steps than that: raise the bound")
    assert calls == {1, 2}


@pytest.mark.parametrize("seed", [1, 8, 32])
def test_a_seed_gives_the_same_history_each_time(seed: int):
    first, again = simulate(seed), simulate(seed)
    assert first.digest == again.digest
    assert first.history.events == again.history.events


def test_chance_outside_of_a_run_changes_nothing_in_it():
    before = simulate(3).digest
    random.seed(7)
    assert simulate(3).digest == before


@pytest.mark.parametrize("name", ["ack-first", "publish-before-commit", "no-owner-check"])
def test_a_step_done_wrong_is_found_out(name: str):
    found = hunt(name, range(40))
    assert found is not None, MUTANTS[name].what


def test_every_fault_comes_in_the_first_thousand_seeds():
    seen = {trouble.fault for seed in range(1000) for trouble in drawn(seed).troubles}
    assert seen == set(Fault)
