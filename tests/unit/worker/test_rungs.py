import math

from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.topology import RETRY_RUNGS_S
from fleet_worker.parking.rungs import is_due, rung_for

waits = st.floats(min_value=0.001, max_value=7200, allow_nan=False)


def rounds(wait_s: float, left_s: float = math.inf) -> list[int]:
    """The rungs that a request goes through until it has waited long enough."""
    taken: list[int] = []
    while wait_s > 0:
        taken.append(rung_for(wait_s, left_s, RETRY_RUNGS_S))
        wait_s -= taken[-1]
        left_s -= taken[-1]
    return taken


def test_a_wait_of_a_rungs_length_takes_that_rung_alone():
    assert [rounds(rung) for rung in RETRY_RUNGS_S] == [[5], [30], [120], [600]]


def test_a_wait_a_little_shorter_than_a_rung_takes_that_rung():
    assert (rounds(1), rounds(25), rounds(100), rounds(500)) == ([5], [30], [120], [600])


def test_a_wait_longer_than_the_longest_rung_goes_round():
    assert rounds(3600) == [600] * 6
    assert rounds(1300) == [600, 600, 120]


@given(waits)
def test_nobody_comes_back_too_early_and_nobody_is_kept_much_longer(wait_s: float):
    waited = sum(rounds(wait_s))
    assert waited >= wait_s
    assert waited <= max(wait_s + 5, wait_s * 1.25)


@given(waits)
def test_a_wait_takes_few_rounds(wait_s: float):
    assert len(rounds(wait_s)) <= wait_s // 600 + 12


@given(waits, st.floats(min_value=5.001, max_value=7200, allow_nan=False))
def test_a_request_that_can_be_back_before_its_deadline_is(wait_s: float, left_s: float):
    if wait_s + 5 <= left_s:
        assert sum(rounds(wait_s, left_s)) <= left_s


def test_a_rung_that_ends_a_moment_early_by_another_clock_is_in_time():
    assert is_due(until_ms=10_000, now_ms=9_800)
    assert not is_due(until_ms=10_000, now_ms=9_000)
