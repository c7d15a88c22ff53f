"""`deepseek.results` in memory: durable queues, bound by patterns, with manual acknowledgements."""

import re
from collections import deque
from dataclasses import dataclass, field

from fleet_client.following import Arrivals, Delivery, Wish


@dataclass(slots=True)
class _Message:
    correlation_id: str
    routing_key: str
    body: bytes = field(repr=False)


class Exchange:
    """Copies what is published to every queue whose patterns take it."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    def publish(self, correlation_id: str, routing_key: str, body: bytes) -> None:
        """Copy a message to the queues."""
        for queue in self._queues.values():
            queue.offer(_Message(correlation_id, routing_key, body))

    def queue(self, wish: Wish) -> "_Queue":
        """The queue of this wish, made where there is none yet."""
        queue = self._queues.setdefault(f"{wish.tenant}.{wish.name}", _Queue(wish.max_messages))
        queue.bind(wish.patterns)
        return queue


class MemoryFollower:
    """Reads a queue in memory; what it has not acknowledged when it ends goes back to the queue's head."""

    def __init__(self, exchange: Exchange, wish: Wish) -> None:
        self.arrivals = Arrivals()
        self._exchange = exchange
        self._wish = wish
        self._queue: _Queue | None = None
        self._unacked: list[_Message] = []

    async def open(self, timeout_s: float) -> None:
        """Begin at once; `timeout_s` is for wires that need time."""
        del timeout_s
        self._queue = self._exchange.queue(self._wish)
        self._queue.readers.append(self)
        self._queue.serve()

    async def close(self) -> None:
        """End."""
        if self._queue is None:
            return
        self._queue.readers.remove(self)
        self._queue.give_back(self._unacked)

    @property
    def has_room(self) -> bool:
        """Whether one more may be under way to this reader."""
        return len(self._unacked) < self._wish.prefetch

    def take(self, message: _Message) -> None:
        """Hand over one message."""

        async def ack() -> None:
            if message in self._unacked:
                self._unacked.remove(message)
            if self._queue is not None:
                self._queue.serve()

        self._unacked.append(message)
        self.arrivals.put(Delivery(message.correlation_id, message.routing_key, message.body, ack))


class _Queue:
    def __init__(self, max_messages: int) -> None:
        self.readers: list[MemoryFollower] = []
        self._patterns: set[str] = set()
        # Drops its oldest when it is full, as the real one does.
        self._ready: deque[_Message] = deque(maxlen=max_messages)

    def bind(self, patterns: tuple[str, ...]) -> None:
        self._patterns.update(patterns)

    def offer(self, message: _Message) -> None:
        if any(matches(pattern, message.routing_key) for pattern in self._patterns):
            self._ready.append(message)
            self.serve()

    def give_back(self, messages: list[_Message]) -> None:
        self._ready.extendleft(reversed(messages))
        self.serve()

    def serve(self) -> None:
        while self._ready and (reader := next((each for each in self.readers if each.has_room), None)):
            self.readers.remove(reader)
            self.readers.append(reader)
            reader.take(self._ready.popleft())


def matches(pattern: str, routing_key: str) -> bool:
    """Whether a topic binding takes a key: `*` is one word, `#` any number of them."""
    words = "".join(
        r"(\.[^.]+)*" if word == "#" else r"\.[^.]+" if word == "*" else re.escape(f".{word}")
        for word in pattern.split(".")
    )
    return re.fullmatch(words, f".{routing_key}") is not None
