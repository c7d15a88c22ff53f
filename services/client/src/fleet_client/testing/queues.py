"""Durable queues in memory, with manual acknowledgements: of `deepseek.results`, and of batches."""

import re
from collections import deque
from dataclasses import dataclass, field

from fleet_client.errors import BatchUnderWay
from fleet_client.following import Arrivals, Delivery


@dataclass(slots=True)
class _Message:
    correlation_id: str
    routing_key: str
    body: bytes = field(repr=False)


class Exchange:
    """Copies a message to every queue whose patterns take it, or puts it into the one that is named."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    def publish(self, correlation_id: str, routing_key: str, body: bytes) -> None:
        """Copy a message to the queues."""
        for queue in self._queues.values():
            queue.offer(_Message(correlation_id, routing_key, body))

    def reply(self, queue: str, correlation_id: str, body: bytes) -> None:
        """Put a message into the queue of this name, where there is one."""
        if queue in self._queues:
            self._queues[queue].put(_Message(correlation_id, queue, body))

    def queue(self, name: str, max_messages: int | None, patterns: tuple[str, ...]) -> "_Queue":
        """The queue of this name, made where there is none yet."""
        queue = self._queues.setdefault(name, _Queue(max_messages))
        queue.bind(patterns)
        return queue

    def remove(self, name: str) -> None:
        """Delete the queue of this name."""
        self._queues.pop(name, None)


class MemoryReader:
    """Reads a queue in memory; what it has not acknowledged when it ends goes back to the queue's head.

    Args:
        exchange: where the queue is.
        name: the queue.
        prefetch: how many messages are under way to this reader at once.
        max_messages: how many may wait; the oldest give way. None: any number.
        patterns: what is copied to the queue.
        alone: whether nobody else may read it meanwhile.
    """

    def __init__(
        self,
        exchange: Exchange,
        name: str,
        prefetch: int,
        *,
        max_messages: int | None = None,
        patterns: tuple[str, ...] = (),
        alone: bool = False,
    ) -> None:
        self.arrivals = Arrivals()
        self._exchange = exchange
        self._name = name
        self._prefetch = prefetch
        self._max_messages = max_messages
        self._patterns = patterns
        self._alone = alone
        self._queue: _Queue | None = None
        # By identity, in order: two messages may be equal.
        self._unacked: dict[int, _Message] = {}

    async def open(self, timeout_s: float) -> None:
        """Begin at once; `timeout_s` is for wires that need time.

        Raises:
            BatchUnderWay: somebody else reads it, and one of the two wants to be alone.
        """
        del timeout_s
        queue = self._exchange.queue(self._name, self._max_messages, self._patterns)
        if self._alone and queue.readers:
            raise BatchUnderWay(f"Another program reads {self._name}. Let it end, or take another name.")
        self._queue = queue
        self._queue.readers.append(self)
        self._queue.serve()

    async def remove(self) -> None:
        """Delete the queue: everything in it was read."""
        self._exchange.remove(self._name)

    async def close(self) -> None:
        """End."""
        if self._queue is None:
            return
        self._queue.readers.remove(self)
        self._queue.give_back(list(self._unacked.values()))

    @property
    def has_room(self) -> bool:
        """Whether one more may be under way to this reader."""
        return len(self._unacked) < self._prefetch

    def take(self, message: _Message) -> None:
        """Hand over one message."""

        async def ack() -> None:
            self._unacked.pop(id(message), None)
            if self._queue is not None:
                self._queue.serve()

        self._unacked[id(message)] = message
        self.arrivals.put(Delivery(message.correlation_id, message.routing_key, message.body, ack))


class _Queue:
    def __init__(self, max_messages: int | None) -> None:
        self.readers: list[MemoryReader] = []
        self._patterns: set[str] = set()
        # Drops its oldest when it is full, as the real one does.
        self._ready: deque[_Message] = deque(maxlen=max_messages)

    def bind(self, patterns: tuple[str, ...]) -> None:
        self._patterns.update(patterns)

    def offer(self, message: _Message) -> None:
        if any(matches(pattern, message.routing_key) for pattern in self._patterns):
            self.put(message)

    def put(self, message: _Message) -> None:
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
