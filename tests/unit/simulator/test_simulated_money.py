"""What a call costs, what is left, and how the limits follow it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_simulator import Account, Curve, SimulatorConfig
from fleet_simulator.balances import Balances
from fleet_simulator.clock import SystemClock
from fleet_simulator.models import FLASH, PRO
from fleet_simulator.prices import cost_of, is_peak
from fleet_simulator.settings import changed
from fleet_simulator.simulator import Simulator
from fleet_simulator.usage import Usage

MILLIONS = Usage(prompt=3_000_000, hit=1_000_000, completion=1_000_000, reasoning=None)
ACCOUNT = Account("default", ("sk-1",), balance="10.00", granted="4.00")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NIGHT = at("2026-11-23T20:00")
PEAK = at("2026-11-23T08:00")


@pytest.mark.parametrize(
    ("model", "currency", "cost"),
    [
        (FLASH, "USD", "0.903"),
        (FLASH, "CNY", "6.02"),
        (PRO, "USD", "3.322"),
        (PRO, "CNY", "22.65"),
    ],
)
def test_a_call_costs_its_hits_its_misses_and_its_output(model: str, currency: str, cost: str) -> None:
    assert cost_of(model, MILLIONS, currency, NIGHT) == Decimal(cost)
    assert cost_of(model, MILLIONS, currency, PEAK) == 2 * Decimal(cost)


@pytest.mark.parametrize(
    ("moment", "peak"),
    [
        ("2026-11-23T00:59", False),
        ("2026-11-23T01:00", True),
        ("2026-11-23T03:59", True),
        ("2026-11-23T04:00", False),
        ("2026-11-23T06:00", True),
        ("2026-11-23T10:00", False),
        ("2026-11-27T09:59", True),
        ("2026-11-28T08:00", False),
    ],
)
def test_the_peak_is_in_the_working_hours_of_beijing(moment: str, *, peak: bool) -> None:
    assert is_peak(at(moment)) is peak


def test_a_holiday_has_no_peak() -> None:
    assert is_peak(at("2026-10-01T08:00"))
    assert not is_peak(at("2026-10-01T08:00"), {"2026-10-01"})


def test_what_was_granted_is_spent_first() -> None:
    balances = Balances()
    seen: list[tuple[str, str]] = []
    for amount in ("0", "3", "3", "5"):
        balances.charge(ACCOUNT, Decimal(amount))
        left = balances.left(ACCOUNT)
        seen.append((str(left.granted), str(left.topped_up)))
    assert seen == [("4.00", "6.00"), ("1.00", "6.00"), ("0", "4.00"), ("0", "-1.00")]


def test_an_account_that_is_set_anew_starts_over_and_leaves_the_others_alone() -> None:
    one, two = Account("one", ("sk-1",), balance="5.00"), Account("two", ("sk-2",), balance="5.00")
    simulator = Simulator(SimulatorConfig(accounts=(one, two)), SystemClock())
    for account in (one, two):
        simulator.charge(account, FLASH, MILLIONS, NIGHT)
    simulator.apply(changed(simulator.config, {"balances": {"one": "7.00"}}))
    left = [simulator.left(account).total for account in simulator.config.accounts]
    assert left == [Decimal("7.00"), Decimal("-1.02")]
    simulator.charge(one, FLASH, MILLIONS, NIGHT)
    assert simulator.left(simulator.config.accounts[0]).total == Decimal("0.98")


@pytest.mark.parametrize(
    ("dollars", "limit"), [(50, 2500), (10, 2500), (5, 1250), (1, 250), (0.02, 5), (0.001, 5), (-1, 5)]
)
def test_the_limit_falls_with_the_balance_to_a_floor(dollars: float, limit: int) -> None:
    assert Curve().limit(2500, dollars) == limit


def test_the_floor_raises_no_limit_that_was_set_lower() -> None:
    assert Curve().limit(2, 0) == 2


def test_a_curve_can_have_any_shape() -> None:
    curve = Curve(((0, 0.2), (1, 0.2), (2, 1)), floor=1)
    assert [curve.limit(100, dollars) for dollars in (0, 0.9, 1.5, 3)] == [20, 20, 60, 100]


@given(st.floats(-5, 50), st.floats(0, 50), st.integers(0, 3000))
def test_more_money_never_means_a_lower_limit(dollars: float, more: float, configured: int) -> None:
    curve = Curve()
    assert 0 <= curve.limit(configured, dollars) <= curve.limit(configured, dollars + more) <= configured


def test_a_yuan_counts_for_less_than_a_dollar() -> None:
    def limit_with(currency: str) -> int:
        account = replace(ACCOUNT, currency=currency)
        simulator = Simulator(SimulatorConfig(accounts=(account,)), SystemClock())
        return simulator.limits.limit("default", PRO)

    assert [limit_with("USD"), limit_with("CNY")] == [500, 75]


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (lambda: Account("a", (), balance="much"), "'much' is no amount"),
        (lambda: Account("a", (), balance="NaN"), "'NaN' is no amount"),
        (lambda: Account("a", (), currency="EUR"), "unknown currency 'EUR'"),
        (lambda: Curve(((0, 0),)), "two or more pairs"),
        (lambda: Curve(((1, 0), (0, 1))), "rising balances"),
        (lambda: Curve(((0, 0), (1, 2))), "from 0 to 1"),
        (lambda: changed(SimulatorConfig(), {"balances": {"who": "1"}}), "no accounts"),
    ],
)
def test_settings_of_money_that_make_no_sense_are_refused(broken: object, text: str) -> None:
    assert callable(broken)
    with pytest.raises(ValueError, match=text):
        broken()
