"""A soak says what grows from rest to rest, and breaks the same things for the same seed."""

from collections.abc import Sequence

from chaos.soak.breaths import Soak
from chaos.soak.flat import Bound, growth

BOUNDS = {"keys": Bound(0.1, 5)}


def keys(*numbers: float) -> Sequence[dict[str, float]]:
    return [{"keys": number} for number in numbers]


def test_what_stays_is_flat_though_it_differs_from_rest_to_rest():
    assert growth(keys(100, 104, 96, 103, 99, 110, 95, 101), BOUNDS) == []


def test_what_fills_in_the_beginning_is_flat():
    assert growth(keys(10, 60, 100, 101, 99, 100, 102, 100), BOUNDS) == []


def test_one_high_rest_is_no_growth():
    assert growth(keys(100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 500, 100), BOUNDS) == []


def test_what_is_more_from_rest_to_rest_grows():
    assert growth(keys(100, 110, 120, 130, 140, 150, 160, 170), BOUNDS) == ["keys: from 125 to 165"]


def test_a_few_rests_say_nothing():
    (complaint,) = growth(keys(100, 100, 100), BOUNDS)
    assert complaint.startswith("3 rests are too few")


def test_one_seed_breaks_the_same_at_the_same_moments_and_each_breath_something_else():
    told = Soak(seed=7, troubles=5)
    assert told.due(3) == Soak(seed=7, troubles=5).due(3)
    assert told.due(3) != told.due(4)
    assert all(0 < due.at_s < told.breath_s for due in told.due(3))
