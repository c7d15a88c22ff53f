"""What operators see of conversations."""

from prometheus_client import CollectorRegistry, Counter

from fleet_chassis.logging import Log


class ConversationObserver:
    """Counts and logs; never sees or shows what is said, or a conversation's name."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        self.log = log
        self._turns = Counter(
            "fleet_conversation_turns", "What became of turns here", ["outcome"], registry=registry
        )
        self._trimmed = Counter(
            "fleet_conversation_turns_trimmed", "Turns that are sent no more", registry=registry
        )

    def turn(self, outcome: str) -> None:
        """`appended`, `recalled`, `conflict`, `busy` or `lost`."""
        self._turns.labels(outcome).inc()

    def trimmed(self, turns: int) -> None:
        """So many of the oldest turns no longer fit into the model's context."""
        self._trimmed.inc(turns)
        self.log.info("a conversation was trimmed", turns=turns)

    def broke(self, error: Exception) -> None:
        """A bug met one renewal; the others go on."""
        self.log.error("a turn's renewal broke", error=error)
