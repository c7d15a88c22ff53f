"""The deliveries in hand: each in a task of its own, which learns when its channel is gone."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from aiormq.abc import AbstractChannel

from fleet_worker.hold import DeliveryLease


class Hands:
    """Runs the work on each delivery, and tells it when the broker counts on this worker no more.

    The client library has a task for each delivery too, which it cancels when the channel closes. That one
    ends at once here: a call that was paid for goes on without its channel, and an open stream would keep
    alive for minutes whatever the library holds for a message that is being handled.
    """

    def __init__(self) -> None:
        self._of: dict[AbstractChannel, dict[asyncio.Task[None], DeliveryLease]] = {}

    def take(
        self,
        channel: AbstractChannel,
        lease: DeliveryLease,
        work: Coroutine[Any, Any, None],
        done: Callable[[], None],
    ) -> None:
        """Begin `work` on a delivery that came by `channel`; `done` is called once it has ended."""
        in_hand = self._of.get(channel)
        if in_hand is None:
            in_hand = self._of[channel] = {}
            untyped: Any = channel  # its types are too loose for a strict check
            untyped.closing.add_done_callback(partial(self._gone, channel))
        task = asyncio.create_task(work)
        in_hand[task] = lease

        def ended(task: asyncio.Task[None]) -> None:
            del in_hand[task]
            done()

        task.add_done_callback(ended)

    def _gone(self, channel: AbstractChannel, _closed: object) -> None:
        for task, lease in self._of.pop(channel).items():
            lease.lost()
            # What has not begun comes back by another channel.
            if not lease.at_work:
                task.cancel()
