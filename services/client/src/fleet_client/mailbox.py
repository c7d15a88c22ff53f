"""What one reader has yet to read. Whoever fills it never waits."""

import asyncio
from collections import deque

from fleet_client.events import Reasoning, Restarted, Text, ToolCallDelta, Waiting
from fleet_client.inbox import Item

_MOOT_AFTER_A_RESTART = (Reasoning, Text, ToolCallDelta, Restarted, Waiting)


class Mailbox:
    """A buffer between one call and its one reader.

    Args:
        capacity: how many events may wait. The last ones (`Restarted`, what a result brings) always fit.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._filled = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether the reader is so slow that chunks have to be left out."""
        return len(self._items) >= self._capacity

    def put(self, items: list[Item]) -> None:
        """Add what the reader is to be shown."""
        for item in items:
            self._make_room(item)
            self._items.append(item)
        if self._items:
            self._filled.set()

    async def get(self) -> Item:
        """The next item; waits for it without a limit of its own, so the caller sets one."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()

    def _make_room(self, item: Item) -> None:
        if isinstance(item, Restarted):
            self._items = deque(kept for kept in self._items if not isinstance(kept, _MOOT_AFTER_A_RESTART))

    def __repr__(self) -> str:
        return f"<Mailbox: {len(self._items)} of {self._capacity}>"
