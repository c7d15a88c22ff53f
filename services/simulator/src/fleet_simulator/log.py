"""The ground truth: what really happened, for tests that must not believe the client."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

import orjson

from fleet_simulator.clock import Clock


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        offset: Its place in the log, from 0; never reused.
        kind: `arrived`, `authorized`, `faulted`, `refused`, `admitted`, `first_byte`, `charged`, `released`
            or `closed`.
        call: The number of the HTTP call it belongs to.
        at: Monotonic time in seconds.
        unix_ms: Unix time in milliseconds.
        fields: What else is known: trace_id, connection, account, model, in_flight, status, bytes, reason …
            Never a prompt, an answer or a key.
    """

    offset: int
    kind: str
    call: int
    at: float
    unix_ms: int
    fields: Mapping[str, object]

    def line(self) -> bytes:
        """The event as one JSON line."""
        head = {"offset": self.offset, "event": self.kind, "call": self.call}
        return orjson.dumps({**head, "at": self.at, "unix_ms": self.unix_ms, **self.fields}) + b"\n"


class Log:
    """A ring of events: bounded, in order, and able to wake whoever waits for the next one.

    Args:
        clock: Stamps each event.
        capacity: Events kept; the oldest are dropped beyond it.
    """

    def __init__(self, clock: Clock, capacity: int) -> None:
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=capacity)
        self._next = 0
        self._added = asyncio.Event()

    @property
    def next_offset(self) -> int:
        """The offset that the next event will get: pass it to `events` to see only what is new."""
        return self._next

    def add(self, kind: str, call: int, fields: Mapping[str, object]) -> None:
        """Write one event down."""
        clock = self._clock
        self._events.append(Event(self._next, kind, call, clock.monotonic(), clock.now_ms(), fields))
        self._next += 1
        self._added.set()

    def events(self, since: int = 0, kind: str | None = None) -> list[Event]:
        """The events kept from offset `since` on, all or of one kind."""
        # Read from the new end: whoever follows the log asks for a few events out of many.
        newest_first = islice(reversed(self._events), max(0, self._next - since))
        kept = list(newest_first)[::-1]
        return kept if kind is None else [event for event in kept if event.kind == kind]

    async def wait_for(
        self, wanted: Callable[[Event], bool], *, since: int = 0, within: float = 30.0
    ) -> Event:
        """The first event from offset `since` on that is `wanted`.

        Raises:
            TimeoutError: None came within `within` seconds.
        """
        async with asyncio.timeout(within):
            while True:
                self._added.clear()
                seen = self._next
                for event in self.events(since):
                    if wanted(event):
                        return event
                since = seen
                await self._added.wait()
