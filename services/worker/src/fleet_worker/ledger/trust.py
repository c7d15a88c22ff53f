"""Whether the store's silence may be the reason for an owner's."""

import math
from typing import Protocol

from fleet_worker.ledger.times import FORGIVE_S, GRACE_S


class Trust(Protocol):
    """What a ledger asks about the store that it stands on."""

    @property
    def troubled_at(self) -> float:
        """When the store last failed, or was seen to be another one; minus infinity if never."""
        ...

    @property
    def forgets(self) -> bool:
        """Whether records may be gone that were there."""
        ...

    async def back(self) -> None:
        """Return when the store answers."""
        ...


class NoStore:
    """Memory never fails, and ends with its process."""

    troubled_at = -math.inf
    forgets = True

    async def back(self) -> None:
        """It is never away."""


def patient(trust: Trust, now: float) -> bool:
    """Whether owners must be given time to renew what ended while the store was away."""
    return now - trust.troubled_at < GRACE_S


def forgiving(trust: Trust, now: float) -> bool:
    """Whether an owner who did not renew may have been unable to."""
    return now - trust.troubled_at < FORGIVE_S
