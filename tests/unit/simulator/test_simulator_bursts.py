"""When completions are refused in bursts."""

import random

import pytest

from fleet_simulator import Burst, SimulatorConfig
from fleet_simulator.simulator import Simulator
from harness.clock import HandClock


def on_at(burst: Burst, *moments: float) -> list[bool]:
    return [burst.is_on(moment) for moment in moments]


def test_a_burst_without_a_window_is_always_on() -> None:
    assert on_at(Burst(), 0, 1e6) == [True, True]


def test_a_burst_begins_late_and_ends() -> None:
    assert on_at(Burst(after=10, lasts=5), 9.9, 10, 14.9, 15, 100) == [False, True, True, False, False]


def test_a_burst_comes_back() -> None:
    burst = Burst(after=10, lasts=5, every=60)
    assert on_at(burst, 10, 15, 70, 75, 134.9) == [True, False, True, False, True]


def test_a_burst_strikes_its_share_of_the_calls_and_the_same_ones_for_the_same_seed() -> None:
    def struck() -> list[bool]:
        chance = random.Random(7)
        return [Burst(probability=0.3).strikes("deepseek-flash", 0, chance) for _ in range(1000)]

    assert struck() == struck()
    assert 250 < sum(struck()) < 350


def test_a_burst_can_spare_a_model() -> None:
    chance = random.Random(7)
    burst = Burst(model="deepseek-v4-pro")
    assert [burst.strikes(model, 0, chance) for model in ("deepseek-flash", "deepseek-v4-pro")] == [
        False,
        True,
    ]


def test_seconds_count_from_the_moment_the_burst_was_set() -> None:
    clock = HandClock()
    simulator = Simulator(SimulatorConfig(), clock)
    clock.advance(100)
    simulator.configure(bursts=(Burst(status=500, lasts=10),))
    clock.advance(9)
    simulator.configure(speed=2.0)
    assert simulator.burst_status("deepseek-flash") == 500
    clock.advance(1)
    assert simulator.burst_status("deepseek-flash") is None


@pytest.mark.parametrize(
    "changes",
    [{"status": 200}, {"probability": 1.5}, {"lasts": 0}, {"every": 5.0}, {"every": 5.0, "lasts": 6.0}],
)
def test_a_burst_that_makes_no_sense_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|needs lasts"):
        Burst(**changes)  # pyright: ignore[reportArgumentType]  # wrong on purpose
