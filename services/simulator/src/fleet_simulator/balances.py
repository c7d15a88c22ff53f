"""What is left of the accounts' money."""

from dataclasses import dataclass
from decimal import Decimal

from fleet_simulator.config import Account

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Left:
    """Money that an account still has. It may be below zero: running calls are charged to their end."""

    granted: Decimal
    topped_up: Decimal

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.granted + self.topped_up


class Balances:
    """Counts what each account spent since it was set."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[Account, Decimal]] = {}

    def left(self, account: Account) -> Left:
        """What an account still has; what was granted is spent first."""
        spent = self._spent_by(account)
        granted = max(_NOTHING, Decimal(account.granted) - spent)
        return Left(granted, Decimal(account.balance) - spent - granted)

    def keep(self, before: Account, after: Account) -> None:
        """`after` is the same account with other keys: what it spent stays spent."""
        self._spent[after.name] = (after, self._spent_by(before))

    def charge(self, account: Account, amount: Decimal) -> None:
        """Take an amount, in the account's currency, from what is left."""
        self._spent[account.name] = (account, self._spent_by(account) + amount)

    def _spent_by(self, account: Account) -> Decimal:
        # An account that was set anew is another object: it starts with its whole balance again.
        known, spent = self._spent.get(account.name, (None, _NOTHING))
        return spent if known is account else _NOTHING
