"""One request under way: what came back, and who waits for it."""

import asyncio
from collections.abc import Callable
from math import inf

from fleet_client.errors import FleetError, NoReply
from fleet_client.events import Event, History
from fleet_client.inbox import Inbox
from fleet_client.mailbox import Mailbox
from fleet_client.reading import Received
from fleet_client.request import Request


class Call:
    """One request and its reader.

    Args:
        request: what is asked.
        now: the event loop's time, in seconds.
        grace_s: how much longer than the request's own time the reader waits, so that the fleet's own word
            about a missed deadline arrives.
        capacity: how many events may wait for the reader.
        word: gives a new random word each time.
    """

    def __init__(
        self, request: Request, *, now: float, grace_s: float, capacity: int, word: Callable[[], str]
    ) -> None:
        self.request = request
        self.deadline = now + (inf if request.time_s is None else request.time_s)
        self._patience_ends = self.deadline + grace_s
        self._inbox = Inbox(request.id, retry=request.retry)
        self.mailbox = Mailbox(capacity)
        self._word = word
        self._on_end: list[Callable[[], object]] = []
        self._is_sent = False

    @property
    def is_wanted_no_more(self) -> bool:
        """Whether its reader left while the fleet may still be at work on it."""
        return self._is_sent and not self._inbox.ended

    def next_message_id(self) -> str:
        """A random ID for one publish of the request; a refusal of that publish then ends the call."""
        self._is_sent = True
        message_id = self._word()
        self._inbox.published(message_id)
        return message_id

    def take(self, received: Received) -> None:
        """Show the reader what a reply brings; a reader that is too far behind gets it with the result."""
        if self.mailbox.is_full:
            self._inbox.skip()
        self.mailbox.put(self._inbox.take(received))

    def fail(self, error: FleetError) -> None:
        """End the call with an error, unless it has ended."""
        if not self._inbox.ended:
            self._inbox.ended = True
            self.mailbox.put([error])

    def on_end(self, do: Callable[[], object]) -> None:
        """Do something when the reader leaves."""
        self._on_end.append(do)

    def end(self) -> None:
        """The reader has left: stop whatever still works for it."""
        for do in self._on_end:
            do()

    async def next(self) -> Event | History:
        """The next event.

        Raises:
            FleetError: the call ended without an answer; `NoReply` where nothing final came in time.
        """
        try:
            async with asyncio.timeout_at(self._patience_ends):
                item = await self.mailbox.get()
        except TimeoutError as error:
            raise self._no_reply() from error
        if isinstance(item, FleetError):
            raise item
        return item

    def _no_reply(self) -> NoReply:
        return NoReply(
            f"The fleet sent nothing final within {self.request.time_s:g} s. It was told to stop; ask again "
            "with more time, or look whether its workers run.",
            correlation_id=self.request.id,
        )
