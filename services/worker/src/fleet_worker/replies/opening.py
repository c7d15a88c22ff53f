"""Replies over RabbitMQ: opens the stream of each request, and tells senders of what was refused."""

from fleet_worker.composing import compose_refusal
from fleet_worker.replies.addressing import terminal_reply
from fleet_worker.replies.delivering import Deliverer
from fleet_worker.replies.stream import NewRun, RabbitReplyStream
from fleet_worker.request import Addressed, Refusal, Request
from fleet_worker.terminal import Terminal


class RabbitReplies:
    """Where replies go, on RabbitMQ."""

    def __init__(self, deliverer: Deliverer, worker: str, new_run: NewRun) -> None:
        self._deliverer = deliverer
        self._worker = worker
        self._new_run = new_run

    def open(self, request: Request) -> RabbitReplyStream:
        """Begin to answer a request."""
        return RabbitReplyStream(request, self._deliverer, self._worker, self._new_run)

    async def finish(self, request: Addressed, terminal: Terminal) -> None:
        """Publish the terminal reply to a request of which nothing else is told from here.

        Raises:
            UndeliveredError: no queue took it.
        """
        await self._deliverer.deliver_terminal(request, terminal_reply(terminal))

    async def refuse(self, refusal: Refusal) -> None:
        """Send a refusal to its sender.

        Raises:
            UndeliveredError: no queue took it.
        """
        if refusal.correlation_id is not None:
            await self._deliverer.deliver_refusal(refusal, compose_refusal(refusal))
