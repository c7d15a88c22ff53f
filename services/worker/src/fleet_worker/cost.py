"""Pure: what a call cost, by DeepSeek's price list.

Prices of 2026-11, in US dollars for a million tokens; in peak hours everything costs twice as much.
Source: https://api-docs.deepseek.com/quick_start/pricing. Chinese public holidays, which have no peak hours,
are not known here: a cost on such a day is an upper bound.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_MILLION = Decimal(1_000_000)
_PEAK_HOURS_UTC = (range(1, 4), range(6, 10))
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Price:
    """Off-peak US dollars for a million tokens."""

    cache_hit: Decimal
    cache_miss: Decimal
    output: Decimal


_FLASH = Price(Decimal("0.003"), Decimal("0.15"), Decimal("0.60"))
_PRO = Price(Decimal("0.022"), Decimal("0.66"), Decimal("1.98"))

PRICES: dict[str, Price] = {
    "deepseek-flash": _FLASH,
    "deepseek-v4-flash": _FLASH,
    "deepseek-v4-flash-vision-exp": _FLASH,
    "deepseek-v4-pro": _PRO,
}


def cost_of(model: str, usage: dict[str, Any] | None, sent_ms: int) -> dict[str, Any] | None:
    """The cost of a call as the contract's `Cost`; None where price or usage is unknown.

    Args:
        model: the name that the request used.
        usage: DeepSeek's usage object.
        sent_ms: Unix time in ms of the call, which decides between peak and off-peak.
    """
    price = PRICES.get(model)
    if price is None or not usage:
        return None
    prompt = int(usage.get("prompt_tokens") or 0)
    hit = int(usage.get("prompt_cache_hit_tokens") or 0)
    output = int(usage.get("completion_tokens") or 0)
    amount = (price.cache_hit * hit + price.cache_miss * (prompt - hit) + price.output * output) / _MILLION
    if is_peak(sent_ms):
        amount *= 2
    return {"amount": _plain(amount), "currency": "USD", "estimated": False}


def is_peak(at_ms: int) -> bool:
    """Whether DeepSeek's peak price holds: Monday to Friday, 01:00 to 04:00 and 06:00 to 10:00 UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.weekday() < _SATURDAY and any(at.hour in hours for hours in _PEAK_HOURS_UTC)


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
