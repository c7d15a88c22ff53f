"""A slice of `make simulate`: some seeds of the delivery protocol in simulated trouble, and some mutants."""

import random

import pytest

from simulation.mutants import MUTANTS
from simulation.run import hunt, simulate, simulate_many
from simulation.scenario import Fault, drawn

SEEDS = 100
"""Five seconds' worth, with the mutants; `make simulate` runs as many as it is told."""


def test_every_request_ends_once_whatever_happens_to_workers_broker_and_store():
    assert [(one.seed, one.wrong) for one in simulate_many(range(SEEDS))] == []


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
