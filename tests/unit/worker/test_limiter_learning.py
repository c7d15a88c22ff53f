"""Whatever a provider answers: the limit that is learned stays within what was configured and told."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.limiter.memory_parts import Learned

MOST, START = 100, 30
answers = st.tuples(st.just("answered"), st.just(0))
refusals = st.tuples(st.just("refused"), st.one_of(st.just(0), st.integers(1, 200)))
overloads = st.tuples(st.just("busy"), st.just(0))
ends = st.lists(st.one_of(answers, answers, answers, refusals, overloads), max_size=200)


def ended(learned: Learned, what: str, told: int, in_flight: int, now: float) -> None:
    """One call that began 5 ms ago ends; `in_flight` others run on."""
    if what == "answered":
        learned.answered(now - 5, in_flight, MOST, now)
    elif what == "refused":
        learned.refused(now - 5, in_flight, MOST, told, now)
    else:
        learned.overloaded(MOST, now)


@given(ends, st.integers(0, MOST))
def test_a_limit_is_at_least_one_and_at_most_what_is_configured_and_was_just_named(
    sequence: list[tuple[str, int]], in_flight: int
):
    learned = Learned(START)
    for number, (what, told) in enumerate(sequence):
        before = learned.limit(MOST)
        # From 10 on: no call began before the clock did.
        ended(learned, what, told, in_flight, 10.0 * number + 10)
        after = learned.limit(MOST)
        assert 1 <= after <= MOST
        if what == "refused":
            assert after <= max(1, told or before, min(before, in_flight + 1))
            assert after <= before


@given(st.integers(4, 90), st.integers(0, 20))
def test_a_number_that_was_named_is_reached_again_within_a_short_patience_and_an_answer_for_each_call(
    told: int, in_flight: int
):
    learned = Learned(START)
    learned.refused(0.5, in_flight, MOST, told, 1)
    taken = 0
    while learned.limit(MOST) < min(told, START) and taken < 1000:
        taken += 1
        ended(learned, "answered", 0, int(learned.limit(MOST)), 10.0 * taken + 10)
    assert taken <= 10 + told
