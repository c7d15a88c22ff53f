"""Gets replies to their readers: the caller first, then everyone who follows the results."""

import asyncio
from contextlib import suppress

from fleet_worker.composing import Composed
from fleet_worker.ports import UndeliveredError
from fleet_worker.replies.addressing import (
    refusal_to_followers,
    refusal_to_sender,
    to_caller,
    to_followers,
)
from fleet_worker.replies.outgoing import (
    Compose,
    Ended,
    NotConfirmedError,
    Outgoing,
    Posted,
    Publishes,
    UnroutableError,
)
from fleet_worker.replies.publisher import Publishers
from fleet_worker.request import Addressed, Refusal
from fleet_worker.retrying import Passing, Retrying

TERMINAL_TIMEOUT_S = 30.0
MAX_UNFINISHED = 1000
UNDELIVERED = (UnroutableError, NotConfirmedError)


class Deliverer:
    """Publishes replies and waits for the confirms that a promise depends on."""

    def __init__(self, publishers: Publishers, retrying: Retrying) -> None:
        self._publishers = publishers
        self._retrying = retrying
        self._unfinished: set[asyncio.Future[None]] = set()

    def post(self, compose: Compose, ended: Ended) -> Posted:
        """Publish one chunk or announcement, once, without waiting; terminal replies that follow stay behind.

        Args:
            compose: Called when it leaves.
            ended: Hears that it is confirmed, that the caller's queue is gone, or that the queue is full or
                the broker away.
        """
        return self._publishers.replies.post(compose, ended)

    async def deliver_terminal(self, request: Addressed, reply: Composed) -> None:
        """Publish the terminal reply so that it is confirmed where it counts.

        The caller's queue counts where there is one; then the copy on the results may follow later. A queue
        that is gone, or refuses for 30 s, leaves the results to count.

        Raises:
            UndeliveredError: neither took it.
        """
        if request.reply_to is not None and await self._reached_caller(to_caller(request, reply)):
            await self._copy_to_followers(request, reply)
        else:
            await self.deliver_surely(to_followers(request, reply))

    async def deliver_refusal(self, refusal: Refusal, reply: Composed) -> None:
        """Publish a refusal to its sender, or on the results where the sender named no queue that takes it.

        Raises:
            UndeliveredError: neither took it.
        """
        own = refusal_to_sender(refusal, reply)
        if own is None or not await self._reached_caller(own):
            await self.deliver_surely(refusal_to_followers(refusal, reply))

    async def deliver_surely(self, message: Outgoing) -> None:
        """Publish what must not be lost.

        Raises:
            UndeliveredError: no queue of the fleet's own took it within 30 s.
        """
        try:
            await self._publish(self._publishers.events, message, UNDELIVERED)
        except UNDELIVERED as error:
            raise UndeliveredError(f"{message.type} was not taken by {message.exchange}") from error

    async def settle(self, timeout_s: float) -> None:
        """Wait for copies that are still on their way, for at most `timeout_s` seconds."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=timeout_s)

    async def _reached_caller(self, message: Outgoing) -> bool:
        # A caller's queue that is gone does not come back by itself, so only a refusal is tried again.
        try:
            await self._publish(self._publishers.replies, message, NotConfirmedError)
        except UNDELIVERED:
            return False
        return True

    async def _publish(self, publisher: Publishes, message: Outgoing, passing: Passing) -> None:
        await self._retrying.publish(lambda: publisher.publish(message), passing, TERMINAL_TIMEOUT_S)

    async def _copy_to_followers(self, request: Addressed, reply: Composed) -> None:
        # The first try is nearly always the last one, and needs no task.
        message, copied = to_followers(request, reply), asyncio.get_running_loop().create_future()

        def ended(error: UnroutableError | NotConfirmedError | None) -> None:
            if isinstance(error, NotConfirmedError):
                self._unfinish(asyncio.create_task(self._publish_copy(message, copied)))
            elif not copied.done():
                copied.set_result(None)

        self._unfinish(copied)
        self._publishers.events.post(lambda: message, ended)
        if len(self._unfinished) > MAX_UNFINISHED:
            await copied

    async def _publish_copy(self, message: Outgoing, copied: asyncio.Future[None]) -> None:
        try:
            with suppress(*UNDELIVERED):
                await self._publish(self._publishers.events, message, NotConfirmedError)
        finally:
            if not copied.done():
                copied.set_result(None)

    def _unfinish(self, copy: asyncio.Future[None]) -> None:
        self._unfinished.add(copy)
        copy.add_done_callback(self._unfinished.discard)
