"""Looks at the account's balance now and then: DeepSeek lowers the limit of calls as the money runs out.

How far, it does not publish: a limit of 39 was seen near the end and of 200 with ten dollars, and never one
below 5. So below `low` the limit is lowered in proportion, and tried again like any learned limit.
"""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_chassis.logging import Log
from fleet_worker.completion import CompletionError

LEAST = 5
DOLLARS = {"USD": Decimal(1), "CNY": Decimal("0.15")}
"""By the rate that DeepSeek's own price list uses."""
_AMOUNT = re.compile(r"(-?[\d.]+) ([A-Z]{3})")


class Balance(Protocol):
    """What is left on an account."""

    @property
    def amounts(self) -> tuple[str, ...]:
        """As in `110.00 CNY`."""
        ...


class AsksBalance(Protocol):
    """Asks the provider; no completion is made."""

    async def balance(self) -> Balance:
        """What is left; raises CompletionError."""
        ...


class BalanceWatch:
    """Lowers the limits before the refusals come, and says so before the money is gone.

    Args:
        provider: is asked for the balance.
        teach: is told the limits: what to expect of each pool.
        limit_of: what is configured for a pool.
        low: US dollars below which limits are lowered and a person is called.
        shown: gets what is left in US dollars, for the metrics.
        log: gets an error while it is low.
    """

    def __init__(
        self,
        provider: AsksBalance,
        teach: Callable[[Callable[[str], int]], Awaitable[None]],
        limit_of: Callable[[str], int],
        low: float,
        shown: Callable[[float], None],
        log: Log,
    ) -> None:
        self._provider = provider
        self._teach = teach
        self._limit_of = limit_of
        self._low = low
        self._shown = shown
        self._log = log

    async def run(self, every_s: float, clock: Clock) -> None:
        """Look every `every_s` seconds until cancelled."""
        while True:
            await self.look()
            await clock.sleep(every_s)

    async def look(self) -> None:
        """Look once; what can't be learned now is learned the next time."""
        try:
            balance = await self._provider.balance()
        except CompletionError as error:
            self._log.warning("the balance is not known", code=str(error.code))
            return
        left = in_dollars(balance.amounts)
        self._shown(left)
        if left >= self._low:
            return
        self._log.error("the balance runs out: top up the account", dollars=round(left, 2), low=self._low)
        share = max(0.0, left / self._low)
        await self._teach(lambda pool: max(LEAST, round(self._limit_of(pool) * share)))


def in_dollars(amounts: tuple[str, ...]) -> float:
    """The sum of amounts like `110.00 CNY`; a currency without a rate counts nothing."""
    found = (_AMOUNT.fullmatch(amount) for amount in amounts)
    return float(sum(Decimal(one[1]) * DOLLARS.get(one[2], Decimal(0)) for one in found if one))
