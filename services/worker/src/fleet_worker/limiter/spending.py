"""What tenants had spent when this worker last heard: stated to a store that forgot.

Every call that ends tells its worker what its tenant has spent by then, so one of the workers knows the
newest figure, and of several the highest is it. What is lost is what a worker settled that died as well.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

MOST_REMEMBERED = 20_000
"""A day and a month for each of ten thousand tenants."""


class Spending:
    """The figures that this worker heard."""

    def __init__(self) -> None:
        self._heard: OrderedDict[bytes, int] = OrderedDict()
        self._wanted = False

    def heard(self, pairs: Sequence[Any]) -> None:
        """The store told fields of its money and what is in them."""
        for field, nano in zip(pairs[::2], pairs[1::2], strict=True):
            self._heard[field] = max(nano, self._heard.get(field, 0))
            self._heard.move_to_end(field)
        while len(self._heard) > MOST_REMEMBERED:
            self._heard.popitem(last=False)

    def may_be_forgotten(self) -> None:
        """The store may have lost them: the next statement holds them."""
        self._wanted = True

    def restated(self) -> list[Any]:
        """A count and pairs, none where the store knows them."""
        if not self._wanted:
            return [0]
        return [len(self._heard), *(item for pair in self._heard.items() for item in pair)]

    def taken(self) -> None:
        """The store has heard them."""
        self._wanted = False
