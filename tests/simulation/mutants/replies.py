"""Replies done wrong."""

from typing import Any
from unittest.mock import patch

from fleet_worker.replies.delivering import UNDELIVERED, Deliverer
from fleet_worker.replies.stream import RabbitReplyStream
from simulation.mutants.planting import mutant


@mutant("a terminal reply that nobody confirmed counts as delivered")
def unconfirmed_counts() -> Any:
    async def reached(self: Any, message: Any) -> bool:
        try:
            await self._publishers.replies.publish(message)
        except UNDELIVERED:
            return True
        return True

    return patch.object(Deliverer, "_reached_caller", reached)


@mutant("chunks of a new attempt are numbered on from the last one's")
def numbers_go_on() -> Any:
    def begin(self: Any, attempt: int) -> None:
        self._attempt = attempt
        self._run = self._new_run()

    return patch.object(RabbitReplyStream, "_begin", begin)


@mutant("the chunk after one that was lost is sent")
def chunks_go_on_after_a_loss() -> Any:
    whole = RabbitReplyStream._on_end  # pyright: ignore[reportPrivateUsage] - breaking it is the point

    def on_end(self: Any, error: Any) -> None:
        del error
        whole(self, None)

    return patch.object(RabbitReplyStream, "_on_end", on_end)


@mutant("a new attempt after text was sent is not announced")
def restarts_in_silence() -> Any:
    def restart(self: Any, attempt: int, reason: str) -> None:
        del reason
        self.retry(attempt)

    return patch.object(RabbitReplyStream, "restart", restart)
