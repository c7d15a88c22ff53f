"""What calls cost: DeepSeek's price list, from the dated table beside this file or from an operator's own.

In peak hours everything costs more. Which moment decides for a call that crosses a border is not published;
here it is the one in which it was sent. Chinese public holidays, which have no peak hours, can be listed in
`days_without`; on one that is not, a cost is an upper bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

NANO = 1_000_000_000
MOST_TOKENS = 100_000_000
"""No call uses more, whatever its usage says."""
_MILLION = Decimal(1_000_000)
_HOUR_MS = 60 * 60 * 1000
_FIRST_WEEKDAY = 3
"""Unix time begins on a Thursday."""
Hour = int


class Price(BaseModel):
    """Off-peak price of a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache_hit: Decimal = Field(ge=0)
    cache_miss: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)

    def of(self, prompt: int, hit: int, output: int) -> Decimal:
        """The off-peak price of one call, by its tokens."""
        missed = max(0, prompt - hit)
        return (self.cache_hit * hit + self.cache_miss * missed + self.output * output) / _MILLION


class Peak(BaseModel):
    """When everything costs `factor` times as much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: Decimal = Field(ge=1)
    weekdays: frozenset[int]
    """0 is Monday."""
    hours_utc: tuple[tuple[Hour, Hour], ...]
    """From the first hour on, before the second."""
    days_without: frozenset[str] = frozenset()
    """Days without peak hours, as in 2026-10-01."""

    def holds(self, at_ms: int) -> bool:
        """Whether the peak price holds at a moment, in Unix milliseconds."""
        day, hour = divmod(at_ms // _HOUR_MS, 24)
        if (day + _FIRST_WEEKDAY) % 7 not in self.weekdays:
            return False
        if self.days_without and _date_of(at_ms) in self.days_without:
            return False
        return any(first <= hour < end for first, end in self.hours_utc)


def _date_of(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


class Prices(BaseModel):
    """A whole price list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dated: str
    source: str
    currency: str
    peak: Peak
    million_tokens: dict[str, Price] = Field(min_length=1)

    def of(self, account: str) -> "Prices":
        """This list: it holds for every account."""
        del account
        return self

    def cost_of(self, model: str, usage: dict[str, Any] | None, sent_ms: int) -> Decimal | None:
        """What a call cost, in `currency`; None where price or usage is unknown.

        Args:
            model: the name that the request used.
            usage: DeepSeek's usage object.
            sent_ms: Unix time in ms of the call, which decides between peak and off-peak.
        """
        price = self.million_tokens.get(model)
        if price is None or not usage:
            return None
        prompt, hit, output = tokens_of(usage)
        return price.of(prompt, hit, output) * self._factor(sent_ms)

    def cost_nano(self, model: str, usage: dict[str, Any] | None, sent_ms: int) -> int | None:
        """As `cost_of`, in billionths, rounded up."""
        cost = self.cost_of(model, usage, sent_ms)
        return None if cost is None else in_nano(cost)

    def bill(
        self, model: str, usage: dict[str, Any] | None, sent_ms: int, *, estimated: bool
    ) -> dict[str, Any] | None:
        """As `cost_of`, in the contract's form; `estimated`: whether the usage is."""
        amount = self.cost_of(model, usage, sent_ms)
        if amount is None:
            return None
        return {"amount": plain(amount), "currency": self.currency, "estimated": estimated}

    def worst_nano(self, model: str, prompt: int, output: int, from_ms: int, until_ms: int) -> int:
        """The most that a call can cost that is sent between two moments, in billionths of `currency`.

        A model without a price counts as the dearest: a budget must not be spent on a name nobody knows.
        """
        prices = (
            [self.million_tokens[model]] if model in self.million_tokens else self.million_tokens.values()
        )
        dearest = max((price.of(prompt, 0, output) for price in prices), default=Decimal(0))
        return in_nano(dearest * self._worst_factor(from_ms, until_ms))

    def _factor(self, at_ms: int) -> Decimal:
        return self.peak.factor if self.peak.holds(at_ms) else Decimal(1)

    def _worst_factor(self, from_ms: int, until_ms: int) -> Decimal:
        moments = [*range(from_ms, until_ms, _HOUR_MS), until_ms]
        return max(self._factor(moment) for moment in moments)


class PriceLists(Protocol):
    """Knows which prices an account pays."""

    def of(self, account: str) -> Prices:
        """The price list of an account."""
        ...


@dataclass(frozen=True, slots=True)
class PricesByAccount:
    """A price list for each account whose upstream has prices of its own."""

    lists: Mapping[str, Prices]
    otherwise: Prices

    def of(self, account: str) -> Prices:
        """The price list of an account."""
        return self.lists.get(account, self.otherwise)


def no_prices() -> Prices:
    """The list of an upstream whose calls cost nothing, or nobody knows what: budgets don't count them."""
    nothing = Peak(factor=Decimal(1), weekdays=frozenset(), hours_utc=())
    # Unchecked, for a list that an operator writes must hold at least one model.
    return Prices.model_construct(dated="", source="", currency="USD", peak=nothing, million_tokens={})


def tokens_of(usage: dict[str, Any]) -> tuple[int, int, int]:
    """Input tokens, how many of them came from the cache, and output tokens of a usage object."""
    # Other servers tell of the cache where OpenAI does; DeepSeek in both places.
    details = usage.get("prompt_tokens_details")
    known = cast("dict[str, Any]", details) if isinstance(details, dict) else {}
    names = ("prompt_tokens", "prompt_cache_hit_tokens", "completion_tokens")
    told = {"prompt_cache_hit_tokens": known.get("cached_tokens"), **usage}
    prompt, hit, output = (min(max(0, int(told.get(name) or 0)), MOST_TOKENS) for name in names)
    return prompt, hit, output


def in_nano(amount: Decimal) -> int:
    """An amount in billionths, rounded up."""
    return int((amount * NANO).to_integral_value(ROUND_CEILING))


def plain(amount: Decimal) -> str:
    """An amount as the contract writes it: no exponent, no zeros at the end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def published_prices() -> Prices:
    """DeepSeek's list, as it is checked in."""
    return Prices.model_validate_json((files("fleet_worker") / "prices.json").read_text())


def read_prices(path: Path) -> Prices:
    """An operator's own list, in the form of the one that is checked in.

    Raises:
        ValueError: it can't be read; the text says why.
    """
    try:
        return Prices.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        problem = error.errors()[0] if isinstance(error, ValidationError) else None
        where = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" if problem else str(error)
        )
        raise ValueError(f"the price list {path} can't be used ({where})") from error
