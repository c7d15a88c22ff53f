from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fleet_worker.cost import cost_of, is_peak

USAGE = {"prompt_tokens": 1000, "prompt_cache_hit_tokens": 400, "completion_tokens": 2000}


def at(day: int, hour: int, minute: int = 0) -> int:
    return round(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("day", "hour", "peak"),
    [
        (23, 0, False),
        (23, 1, True),
        (23, 3, True),
        (23, 4, False),
        (23, 6, True),
        (23, 9, True),
        (23, 10, False),
    ],
)
def test_peak_hours_begin_and_end_on_the_hour(day: int, hour: int, peak: bool):
    assert is_peak(at(day, hour)) is peak


def test_the_weekend_has_no_peak():
    assert not is_peak(at(21, 2))
    assert not is_peak(at(22, 7))


def test_hits_misses_and_output_are_priced_apart():
    cost = cost_of("deepseek-flash", USAGE, at(23, 12))
    # 400 x 0.003 + 600 x 0.15 + 2000 x 0.60, a million tokens each
    assert cost == {"amount": "0.0012912", "currency": "USD", "estimated": False}


def test_a_peak_hour_costs_twice_as_much():
    calm, busy = (cost_of("deepseek-v4-pro", USAGE, at(23, hour)) for hour in (12, 2))
    assert calm is not None
    assert busy is not None
    assert Decimal(busy["amount"]) == 2 * Decimal(calm["amount"])


def test_what_has_no_price_or_no_usage_has_no_cost():
    assert cost_of("some-other-model", USAGE, at(23, 12)) is None
    assert cost_of("deepseek-flash", None, at(23, 12)) is None


def test_a_free_answer_costs_nought():
    cost = cost_of("deepseek-flash", {"prompt_tokens": 0, "completion_tokens": 0}, at(23, 12))
    assert cost is not None
    assert cost["amount"] == "0"
