"""Pure: what a batch has cost, what it is expected to cost, and whether one more line may be sent."""

from dataclasses import dataclass
from decimal import Decimal

from fleet_client import Answer

NANO = 1_000_000_000
_CAUTION = 10
"""As many lines are under way at most, until as many have told what a line costs."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens and billionths of a dollar."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nano: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost_nano + other.cost_nano,
        )


def spent_on(answer: Answer | None) -> Spent:
    """What one answer took."""
    if answer is None:
        return Spent()
    usage, cost = answer.usage, answer.cost
    return Spent(
        usage.prompt_tokens if usage else 0,
        usage.completion_tokens if usage else 0,
        nano_of(Decimal(cost.amount)) if cost else 0,
    )


@dataclass(frozen=True, slots=True)
class Purse:
    """The most that a batch may cost.

    Attributes:
        most_nano: in billionths of a dollar; None where there is no limit.
        guess_nano: what one line may cost, as long as none has told.
    """

    most_nano: int | None
    guess_nano: int

    def allows(self, cost_nano: int, settled: int, under_way: int) -> bool:
        """Whether one more line may be sent, when those under way cost what a line has cost so far."""
        if self.most_nano is None:
            return True
        if settled < _CAUTION and under_way >= _CAUTION:
            return False
        each = (
            max(self.guess_nano, cost_nano // max(1, settled)) if settled < _CAUTION else cost_nano // settled
        )
        return cost_nano + each * (under_way + 1) <= self.most_nano


def nano_of(amount: Decimal) -> int:
    """An amount of dollars in billionths."""
    return int(amount * NANO)


def nano(amount: float) -> int:
    """An amount of dollars, as a person writes it, in billionths."""
    return nano_of(Decimal(str(amount)))


def dollars(nano: int) -> str:
    """An amount as people read it: two digits that say something, at least cents."""
    amount = Decimal(nano) / NANO
    digits = 2 if amount >= 1 or not amount else min(9, 1 - amount.adjusted())
    return f"{amount:.{max(2, digits)}f} USD"
