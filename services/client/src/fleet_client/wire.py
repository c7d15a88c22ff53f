"""What a session needs of whatever carries its messages: RabbitMQ, or the memory of a test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fleet_client.collecting import BatchWish, Collector
from fleet_client.following import Follower, Wish
from fleet_client.request import Request

Take = Callable[[str | None, bytes], None]
"""Gets a reply's correlation ID and body; never waits."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A request on its way to the fleet.

    Attributes:
        until: the event loop's time at which trying to publish it ends, in seconds.
        message_id: gives a new random ID for each publish.
        wants_replies: whether replies come to this session; else they go to `deepseek.results` alone.
        reply_to: another queue than the session's own to which they come.
    """

    request: Request
    until: float
    message_id: Callable[[], str] = field(repr=False)
    wants_replies: bool = True
    reply_to: str | None = None


class Wire(Protocol):
    """Carries requests there and replies back."""

    async def open(self, timeout_s: float) -> None:
        """Connect.

        Raises:
            BrokerUnreachable: not within `timeout_s` seconds.
        """
        ...

    async def close(self) -> None:
        """Disconnect, and leave nothing behind."""
        ...

    async def publish(self, posting: Posting) -> None:
        """Publish until it is confirmed.

        Raises:
            NotDelivered: its time was over first, or there is no place for requests.
        """
        ...

    async def cancel(self, request: Request, timeout_s: float) -> None:
        """Tell the fleet that nobody wants the answer; gives up in silence after `timeout_s` seconds."""
        ...

    def follow(self, wish: Wish) -> Follower:
        """A reader of `deepseek.results`, not open yet."""
        ...

    def collect(self, wish: BatchWish, on_lost: Callable[[], None]) -> Collector:
        """The only reader of a batch's reply queue, not open yet.

        Args:
            wish: which batch.
            on_lost: called after the queue had been deleted and is there again.
        """
        ...


MakeWire = Callable[[Take, Callable[[], None]], Wire]
"""Builds a wire from who takes its replies, and what to do after the reply queue was lost."""
