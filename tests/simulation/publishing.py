"""A worker's publisher: the real pipeline, over a simulated line."""

from collections.abc import Callable

from fleet_worker.replies.answers import Answer, Confirmed, Returned
from fleet_worker.replies.outgoing import Compose, Ended, Framable, Outgoing, Posted
from fleet_worker.replies.pipeline import Pipeline
from fleet_worker.replies.posting import Post
from simulation.broker import Broker, Message
from simulation.links import Link
from simulation.loop import Process
from simulation.world import World

Told = Callable[[Message], None]


class _NotedPipeline(Pipeline):
    """Remembers what it composed: its frames say the same in bytes, and need not be read again.

    What was composed since the last write is what a write carries, in that order.
    """

    def __init__(self, new_word: Callable[[], str]) -> None:
        super().__init__(new_word)
        self.composed: list[Outgoing] = []

    def post(self, compose: Compose, ended: Ended) -> Post:
        """As the real one."""

        def noted() -> Outgoing | Framable:
            made = compose()
            self.composed.append(made if isinstance(made, Outgoing) else made.outgoing())
            return made

        return super().post(noted, ended)


class SimulatedPublisher:
    """Publishes with confirms over one connection.

    Args:
        world: the run.
        broker: where to.
        process: whose it is.
        name: which of its publishers.
        confirmed: hears of each message whose confirm has come to the process.
    """

    def __init__(self, world: World, broker: Broker, process: Process, name: str, confirmed: Told) -> None:
        self.world = world
        self.name = f"{process.name} {name}"
        self.confirmed = confirmed
        self._words = 0
        self.pipeline = _NotedPipeline(self._new_word)
        self._line: _Line | None = None
        self.link = Link(world, broker, process, self.name, lambda: None, self._lost, self._open)

    @property
    def connected(self) -> bool:
        """Whether the connection is up now."""
        return self.link.open

    def post(self, compose: Compose, ended: Ended) -> Posted:
        """As `Publishes.post`."""
        return self.pipeline.post(compose, ended)

    async def publish(self, message: Outgoing) -> None:
        """As `Publishes.publish`."""
        await self.pipeline.publish(message)

    def close(self) -> None:
        """Publish nothing more."""
        self.pipeline.close()
        self.link.end()

    def _new_word(self) -> str:
        self._words += 1
        return f"{self.name} {self._words}:"

    def _open(self) -> None:
        self._line = _Line(self, f"{self.name} {self._words + 1}:")
        self.pipeline.open(self._line)

    def _lost(self) -> None:
        self.pipeline.lost(self._line)


class _Line:
    """An open channel, as the pipeline writes to it."""

    channel = 1
    frame_max = 0

    def __init__(self, publisher: SimulatedPublisher, word: str) -> None:
        self._publisher = publisher
        self._word = word
        self._tag = 0

    def write(self, frames: bytes) -> None:
        """Send what was composed for this write."""
        assert frames
        composed, self._publisher.pipeline.composed = self._publisher.pipeline.composed, []
        for outgoing in composed:
            self._tag += 1
            self._send(self._tag, outgoing)

    def give_up(self) -> None:
        """Break the connection."""
        self._publisher.link.reset()

    def _send(self, tag: int, outgoing: Outgoing) -> None:
        publisher = self._publisher
        message_id = f"{self._word}{tag:016x}"
        message = message_of(outgoing, message_id, round(publisher.world.now_ms()))

        def arrive() -> None:
            taken = publisher.link.broker.publish(message)
            answers: list[Answer] = [Confirmed(tag, multiple=False, taken=taken is not False)]
            if taken is None and outgoing.mandatory:
                answers.insert(0, Returned(message_id))

            def answered() -> None:
                if taken:
                    publisher.confirmed(message)
                publisher.pipeline.hear(answers)

            publisher.link.bring(answered)

        publisher.link.say(arrive)


def message_of(outgoing: Outgoing, message_id: str, published_ms: int) -> Message:
    """What the broker gets."""
    return Message(
        body=outgoing.body,
        exchange=outgoing.exchange,
        routing_key=outgoing.routing_key,
        type=outgoing.type,
        correlation_id=outgoing.correlation_id,
        reply_to=outgoing.reply_to,
        headers=dict(outgoing.headers),
        message_id=message_id,
        published_ms=published_ms,
    )
