"""What the reply queue of a batch is called and bound by, and what reads it."""

import re
from dataclasses import dataclass
from typing import Protocol

from fleet_client.errors import InvalidRequest
from fleet_client.following import Follower
from fleet_contracts.topology import REPLY_PREFIX, Queue

MAX_WINDOW = 10_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MOST_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class BatchWish:
    """Which batch to collect, and how.

    Attributes:
        name: the batch's own word; who asks under it again goes on where it was.
        tenant: whose batch it is.
        window: lines under way at once.
        expires_s: how long its reply queue stays without a reader, in seconds.
    """

    name: str
    tenant: str
    window: int
    expires_s: float

    def check(self) -> None:
        """Refuse what the broker would refuse.

        Raises:
            InvalidRequest: the name or a bound is wrong.
        """
        if _NAME.fullmatch(self.name) is None:
            raise InvalidRequest("A batch's name must be 1 to 64 letters, digits, underscores or hyphens.")
        if not 1 <= self.window <= MAX_WINDOW:
            raise InvalidRequest(f"window is 1 to {MAX_WINDOW} lines.")
        if self.expires_s < 1:
            raise InvalidRequest("expires_s is at least 1 s.")

    @property
    def prefetch(self) -> int:
        """Replies under way to the reader at once: those to its own lines, and to those of an earlier run."""
        return 2 * MAX_WINDOW

    @property
    def queue(self) -> Queue:
        """The batch's reply queue.

        Classic, because that is the kind that lets a consumer be the only one. Full, it refuses: the fleet
        then keeps the reply in its ledger, where the line that is asked again finds it.
        """
        return Queue(
            f"{REPLY_PREFIX}{self.tenant}.batch.{self.name}",
            {
                "x-queue-type": "classic",
                "x-expires": int(self.expires_s * 1000),
                "x-max-length-bytes": _MOST_BYTES,
                "x-overflow": "reject-publish",
            },
        )


class Collector(Follower, Protocol):
    """The only reader of a batch's reply queue."""

    async def remove(self) -> None:
        """Delete the queue, where it can be: everything in it was read. It expires by itself else."""
        ...
