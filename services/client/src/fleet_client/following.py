"""What reading a durable queue of one's own needs of whatever carries the messages."""

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from fleet_client.errors import FleetError, InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_LONGEST_PATTERN = 255
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Wish:
    """Which results to follow, and how.

    Attributes:
        name: the queue's own word; who follows under it again goes on where it was.
        tenant: whose queue it is.
        patterns: binding patterns of `deepseek.results`.
        max_messages: how many may wait in the queue; the oldest give way.
        expires_s: how long the queue stays without a follower, in seconds.
        prefetch: how many are under way to the follower at once.
    """

    name: str
    tenant: str
    patterns: tuple[str, ...]
    max_messages: int
    expires_s: float
    prefetch: int

    def check(self) -> None:
        """Refuse what the broker would refuse.

        Raises:
            InvalidRequest: the name, a pattern or a bound is wrong.
        """
        if _NAME.fullmatch(self.name) is None:
            raise InvalidRequest("name must be 1 to 64 letters, digits, underscores or hyphens.")
        if not self.patterns or any(not 0 < len(each.encode()) <= _LONGEST_PATTERN for each in self.patterns):
            raise InvalidRequest(
                "A pattern looks like result.billing.# : <kind>.<tenant>.<model>, with * for one word and # "
                f"for any, in 1 to {_LONGEST_PATTERN} bytes."
            )
        if self.max_messages < 1 or self.prefetch < 1 or self.expires_s < 1:
            raise InvalidRequest("max_messages and prefetch are at least 1, and expires_s is at least 1 s.")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of such a queue, not acknowledged yet."""

    correlation_id: str
    routing_key: str
    body: bytes = field(repr=False)
    ack: Callable[[], Awaitable[None]] = field(repr=False)


class Follower(Protocol):
    """One reader of a durable queue of its own."""

    arrivals: "Arrivals"

    async def open(self, timeout_s: float) -> None:
        """Begin.

        Raises:
            BrokerUnreachable: not within `timeout_s` seconds, or the broker refused.
        """
        ...

    async def close(self) -> None:
        """End; what was not acknowledged stays for the next follower of this name."""
        ...


class Arrivals:
    """What has come and was not read yet; never more than the broker lets be under way at once."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._end: FleetError | None = None
        self._is_woken = False
        self._news = asyncio.Event()

    def put(self, delivery: Delivery) -> None:
        """Add what came."""
        self._waiting.append(delivery)
        self._news.set()

    def forget(self) -> None:
        """Drop what a broken connection had brought: it comes again on the next one."""
        self._waiting.clear()

    def end(self, error: FleetError) -> None:
        """Let the reader's next wait raise `error`."""
        self._end = error
        self._news.set()

    def wake(self) -> None:
        """Let the reader's wait end, so that it looks at what else has changed."""
        self._is_woken = True
        self._news.set()

    async def next(self) -> Delivery | None:
        """The next one, whenever it comes; None where the reader was woken first.

        Raises:
            FleetError: what `end` was given.
        """
        while self._end is None and not self._waiting and not self._is_woken:
            self._news.clear()
            await self._news.wait()
        if self._end is not None:
            raise self._end
        self._is_woken = False
        return self._waiting.popleft() if self._waiting else None


class Seen:
    """The outcomes that were finished last: a lost acknowledgement brings them once more."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()

    def has(self, whose: str, fleet_id: str) -> bool:
        """Whether this outcome was finished."""
        return (whose, fleet_id) in self._keys

    def add(self, whose: str, fleet_id: str) -> None:
        """Remember an outcome."""
        self._keys[whose, fleet_id] = None
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)
