"""Calls in flight per account and model, counted from arrival to completion and shared by all keys."""

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

from fleet_simulator.refusals import too_many

Pool = tuple[str, str]
"""An account's name and a model."""


class Limits:
    """Counts calls in flight and refuses those above the limit at once: nothing queues for a place.

    Args:
        limit_of: The limit of an account and model at this moment. Asked at every call, so that it may fall
            while calls run, as the real one does with the balance.
    """

    def __init__(self, limit_of: Callable[[str, str], int]) -> None:
        self._limit_of = limit_of
        self._in_flight: Counter[Pool] = Counter()
        self._peaks: Counter[Pool] = Counter()

    def limit(self, account: str, model: str) -> int:
        """The limit at this moment."""
        return self._limit_of(account, model)

    def in_flight(self, account: str, model: str) -> int:
        """Calls in flight at this moment."""
        return self._in_flight[account, model]

    def peak(self, account: str, model: str) -> int:
        """The most calls that were ever in flight at once: what proves that a limiter held."""
        return self._peaks[account, model]

    def pools(self) -> list[Pool]:
        """Every account and model that has had a call."""
        return list(self._peaks)

    @contextmanager
    def place(self, account: str, model: str) -> Generator[int]:
        """Hold one place while the call runs; gives the number in flight, this call included.

        Raises:
            Refusal: 429, with the numbers in its text.
        """
        pool = (account, model)
        current, limit = self._in_flight[pool] + 1, self._limit_of(account, model)
        if current > limit:
            raise too_many(current, limit)
        self._in_flight[pool] = current
        self._peaks[pool] = max(self._peaks[pool], current)
        try:
            yield current
        finally:
            self._in_flight[pool] -= 1
