"""A message on its way out, and the two ways in which it may not arrive."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

_NONE: Mapping[str, Any] = MappingProxyType({})


class UnroutableError(Exception):
    """No queue takes the message: the queue that it names is gone."""


class NotConfirmedError(Exception):
    """The broker refused the message, or did not answer in time: it may or may not be in the queue."""


class Outgoing(NamedTuple):
    """One message to publish. A tuple, for one is made for each chunk and a dataclass takes longer."""

    exchange: str
    routing_key: str
    body: bytes
    type: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, Any] = _NONE
    mandatory: bool = True


class Framable(Protocol):
    """A message that can say itself in frames."""

    def outgoing(self) -> Outgoing:
        """As any other message."""
        ...

    def publication(self, message_id: bytes, channel: int, frame_max: int) -> bytes:
        """As `frames.publication` writes it."""
        ...


Compose = Callable[[], Outgoing | Framable]
"""Makes a message at the moment in which it can leave, so that what gathers until then leaves with it."""


def composed(compose: Compose) -> Outgoing | Framable:
    """What `compose` makes.

    Raises:
        NotConfirmedError: it made nothing; a bug in one sender must not reach the others.
    """
    try:
        return compose()
    except Exception as bug:
        raise not_composed(bug) from bug


def not_composed(bug: Exception) -> NotConfirmedError:
    """How a message ends that was never made."""
    return NotConfirmedError(f"{type(bug).__name__} while it was composed")


Ended = Callable[[UnroutableError | NotConfirmedError | None], None]
"""Hears what became of a message: None where it is confirmed. Called at most once, and never waits."""


class Posted(Protocol):
    """A message that was handed over."""

    def withdraw(self) -> None:
        """Nobody wants to hear of it any more; it does not leave, unless it has left."""
        ...


class Publishes(Protocol):
    """Publishes with confirms, in the order in which it is asked to."""

    @property
    def connected(self) -> bool:
        """Whether the connection is up now."""
        ...

    def post(self, compose: Compose, ended: Ended) -> Posted:
        """Publish without waiting; a message that is not confirmed within 10 s has failed."""
        ...

    async def publish(self, message: Outgoing) -> None:
        """Publish and have it confirmed.

        Raises:
            UnroutableError: the queue is gone.
            NotConfirmedError: refused, not confirmed within 10 s, or the connection is lost.
        """
        ...
