"""Whatever the sizes and the moments: no window of the provider holds more than the limit."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.limiter.memory_parts import Rates

WINDOW_MS, BURST_MS, LIMIT = 10_000.0, 200.0, 1000
sizes = st.one_of(st.integers(1, 30), st.integers(1, LIMIT))
steps = st.lists(st.tuples(st.floats(0, 3000), sizes), min_size=1, max_size=60)


def starts(asked: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """When each was let in, first come first served: the pause before it was asked for, and its cost."""
    rates, now, began = Rates(WINDOW_MS, BURST_MS), 1e6, list[tuple[float, int]]()
    for pause_ms, cost in asked:
        now += pause_ms
        while (wait_ms := rates.wait_ms("t", LIMIT, cost, now)) > 1e-6:
            now += wait_ms
        rates.charge("t", LIMIT, cost, now)
        began.append((now, cost))
    return began


@given(steps)
def test_no_window_holds_more_than_the_limit(asked: list[tuple[float, int]]):
    began = starts(asked)
    for number, (first, _) in enumerate(began):
        held = sum(cost for at, cost in began[number:] if at < first + WINDOW_MS - 1e-3)
        assert held <= LIMIT * (1 + 1e-6)


@given(steps)
def test_nobody_waits_for_longer_than_three_windows(asked: list[tuple[float, int]]):
    began, asked_at = starts(asked), 1e6
    for (at, _), (pause_ms, _) in zip(began, asked, strict=True):
        asked_at += pause_ms
        assert at - asked_at <= 3 * WINDOW_MS
        asked_at = at


def test_small_requests_use_nearly_all_of_the_limit_and_big_ones_leave_one_of_their_size_free():
    small = starts([(0, 5)] * 2000)
    assert small[-1][0] - small[0][0] <= 10 * (WINDOW_MS + BURST_MS)
    big = starts([(0, 100)] * 91)
    assert big[-1][0] - big[0][0] <= 10.2 * WINDOW_MS
