"""The seam inside the ledger: the same atomic steps in a shared store and in the memory of one process."""

from collections.abc import Callable
from typing import Protocol

from fleet_worker.ledger.answers import CancelAnswer, Claimed, Committed, Standing
from fleet_worker.ledger.record import Claimant, Head, Holder, Owner, Record
from fleet_worker.request import RequestKey

Hear = Callable[[bytes], None]
"""Takes a message that was sent to this worker's channel."""


class Records(Protocol):
    """Every step is atomic, may be repeated without harm, and raises StoreUnavailableError without an answer.

    Messages to a worker's channel: `free <key>` tells who waits that the request has ended or can be taken,
    `cancel <key>` tells the owner that nobody wants it any more, `wanted <key>` that somebody waits for it.
    `<key>` as `key_text` gives it.
    """

    async def claim(self, key: RequestKey, claimant: Claimant) -> Claimed:
        """As `rules.claim`."""
        ...

    async def keep(self, key: RequestKey, holder: Holder) -> Standing:
        """As `rules.keep`."""
        ...

    async def commit(self, key: RequestKey, holder: Holder, head: Head, body: bytes) -> Committed:
        """As `rules.commit`; tells who waits."""
        ...

    async def release(self, key: RequestKey, holder: Holder) -> Standing:
        """As `rules.release`; tells who waits."""
        ...

    async def disown(self, key: RequestKey, seen: Owner) -> Standing:
        """As `rules.disown`; tells who waits."""
        ...

    async def cancel(self, key: RequestKey, owner: str) -> CancelAnswer:
        """As `rules.cancel`; tells the owner."""
        ...

    async def look(self, key: RequestKey) -> Record | None:
        """What is known of a request; None where nothing is. Changes nothing."""
        ...

    async def want(self, key: RequestKey, channel: str) -> bool:
        """Tell a worker's channel that somebody waits for the request; whether anybody listens there."""
        ...
