"""Whether a worker takes requests now, and why not."""

from collections.abc import Callable

from fleet_chassis.descriptors import none_left
from fleet_chassis.health import Health, WhyNot
from fleet_worker.door.consumer import Door
from fleet_worker.replies.publisher import Publishers


class Readiness:
    """Ready while it consumes and no drain has begun, and broker, store and new connections are to be had."""

    def __init__(self, door: Door, publishers: Publishers, store_away: Callable[[], bool]) -> None:
        self._door = door
        self._publishers = publishers
        self._store_away = store_away
        self._draining = False
        self._started = False

    def started(self) -> None:
        """The worker has begun to consume; there is no way back."""
        self._started = True

    def why_not_started(self) -> str | None:
        """Why it has not begun yet, in one sentence, or None once it has."""
        return None if self._started else "The worker is starting: it does not consume yet."

    def draining(self) -> None:
        """A drain has begun; there is no way back."""
        self._draining = True

    def health(self, why_dead: WhyNot) -> Health:
        """What its health port is asked for."""
        return Health(self.why_not, why_dead, self.why_not_started)

    def why_not(self) -> str | None:
        """The reason in one sentence, or None while ready."""
        if self._draining:
            return "The worker is draining."
        if self._store_away():
            return (
                "The worker takes nothing: the store of REDIS_URL is away, and nothing may start unrecorded."
            )
        if none_left():
            return (
                "The worker can open no connection: raise its limit of open files (ulimit -n), or lower "
                "FLEET_CONCURRENCY."
            )
        if not self._door.consuming:
            return "The worker does not consume: the broker is away or a queue is gone."
        if not self._publishers.replies.connected:
            return "The worker cannot publish: the broker is away."
        return None
