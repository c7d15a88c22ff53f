from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fleet_worker.prices import plain, published_prices, read_prices

PRICES = published_prices()
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
    assert PRICES.peak.holds(at(day, hour)) is peak


def test_the_weekend_has_no_peak():
    assert not PRICES.peak.holds(at(21, 2))
    assert not PRICES.peak.holds(at(22, 7))


def test_hits_misses_and_output_are_priced_apart():
    cost = PRICES.cost_of("deepseek-flash", USAGE, at(23, 12))
    # 400 x 0.003 + 600 x 0.15 + 2000 x 0.60, a million tokens each
    assert cost is not None
    assert plain(cost) == "0.0012912"


def test_a_peak_hour_costs_twice_as_much():
    calm, busy = (PRICES.cost_of("deepseek-v4-pro", USAGE, at(23, hour)) for hour in (12, 2))
    assert calm is not None
    assert busy == 2 * calm


def test_what_has_no_price_or_no_usage_has_no_cost():
    assert PRICES.cost_of("some-other-model", USAGE, at(23, 12)) is None
    assert PRICES.cost_of("deepseek-flash", None, at(23, 12)) is None


def test_a_free_answer_costs_nought():
    cost = PRICES.cost_of("deepseek-flash", {"prompt_tokens": 0, "completion_tokens": 0}, at(23, 12))
    assert cost is not None
    assert plain(cost) == "0"


def test_the_worst_case_counts_a_peak_that_could_begin_while_a_request_waits():
    calm = PRICES.worst_nano("deepseek-flash", 1000, 2000, at(23, 12), at(23, 14))
    before_the_peak = PRICES.worst_nano("deepseek-flash", 1000, 2000, at(23, 5, 30), at(23, 7, 30))
    assert before_the_peak == 2 * calm == 2 * 1_350_000


def test_the_worst_case_of_an_unknown_model_is_the_dearest():
    known = PRICES.worst_nano("deepseek-v4-pro", 10, 10, at(23, 12), at(23, 12))
    assert PRICES.worst_nano("some-other-model", 10, 10, at(23, 12), at(23, 12)) == known


def test_an_operators_list_goes_before_the_published_one(tmp_path: Path):
    path = tmp_path / "prices.json"
    path.write_text(PRICES.model_copy(update={"currency": "EUR"}).model_dump_json())
    assert read_prices(path).currency == "EUR"


def test_a_list_that_cannot_be_used_is_refused_with_the_place_of_its_fault(tmp_path: Path):
    path = tmp_path / "prices.json"
    path.write_text(PRICES.model_dump_json().replace('"0.15"', '"cheap"'))
    with pytest.raises(ValueError, match=r"million_tokens\.deepseek-flash\.cache_miss"):
        read_prices(path)


def test_a_days_without_peak_costs_less():
    holiday = PRICES.peak.model_copy(update={"days_without": frozenset({"2026-11-23"})})
    prices = PRICES.model_copy(update={"peak": holiday})
    assert prices.cost_of("deepseek-flash", USAGE, at(23, 2)) == Decimal("0.0012912")
