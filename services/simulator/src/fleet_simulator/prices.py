"""What a call costs, in the two currencies of the price list.

Source: api-docs.deepseek.com, "Models & Pricing", prices of November 2026.
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from fleet_simulator.models import FLASH, PRO
from fleet_simulator.usage import Usage

_MILLION = 1_000_000
_PEAK_HOURS_UTC = (range(1, 4), range(6, 10))
_SATURDAY = 5
_PEAK_FACTOR = 2
_USD_FOR_ONE = {"USD": Decimal(1), "CNY": Decimal("0.15")}


@dataclass(frozen=True, slots=True)
class Price:
    """Off-peak price of a million tokens."""

    hit: Decimal
    miss: Decimal
    output: Decimal

    def of(self, usage: Usage) -> Decimal:
        """The off-peak price of one call."""
        missed = usage.prompt - usage.hit
        return (self.hit * usage.hit + self.miss * missed + self.output * usage.completion) / _MILLION


PRICES = {
    (FLASH, "USD"): Price(Decimal("0.003"), Decimal("0.15"), Decimal("0.60")),
    (FLASH, "CNY"): Price(Decimal("0.02"), Decimal(1), Decimal(4)),
    (PRO, "USD"): Price(Decimal("0.022"), Decimal("0.66"), Decimal("1.98")),
    (PRO, "CNY"): Price(Decimal("0.15"), Decimal("4.5"), Decimal("13.5")),
}


def cost_of(
    model: str, usage: Usage, currency: str, at_ms: int, holidays: Container[str] = frozenset()
) -> Decimal:
    """What a call costs.

    Args:
        model: The model that served it, after aliases.
        usage: Its tokens.
        currency: USD or CNY.
        at_ms: Unix time in ms of the call's arrival, which decides between peak and off-peak.
        holidays: Days without peak hours, as in `2026-10-01`.
    """
    cost = PRICES[model, currency].of(usage)
    return cost * _PEAK_FACTOR if is_peak(at_ms, holidays) else cost


def is_peak(at_ms: int, holidays: Container[str] = frozenset()) -> bool:
    """Whether everything costs twice as much: working days, 09:00 to 12:00 and 14:00 to 18:00 in Beijing."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    if at.weekday() >= _SATURDAY or at.date().isoformat() in holidays:
        # Beijing has the same date as UTC in all of these hours.
        return False
    return any(at.hour in hours for hours in _PEAK_HOURS_UTC)


def in_dollars(amount: Decimal, currency: str) -> Decimal:
    """The amount in US dollars, at the rate that the price list itself uses."""
    return amount * _USD_FOR_ONE[currency]
