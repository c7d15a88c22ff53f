"""Many requests under one name: a batch that goes on where it was."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from typing import Any

from fleet_client.asking import DEFAULT_MODEL
from fleet_client.collecting import BatchWish
from fleet_client.line import Asking, BatchOutcome, Line, Ready, Refused
from fleet_client.opening import Opening
from fleet_client.request import Message
from fleet_client.terms import Terms
from fleet_contracts import Lane

DEFAULT_WINDOW = 200
QUEUE_EXPIRES_S = 7 * 24 * 3600.0

Lines = Iterable[str | Line] | AsyncIterable[str | Line]


class Batching(Opening):
    """`batch`."""

    async def batch(
        self,
        lines: Lines,
        name: str,
        *,
        model: str = DEFAULT_MODEL,
        thinking: bool | Message | None = None,
        tenant: str | None = None,
        window: int = DEFAULT_WINDOW,
        expires_s: float = QUEUE_EXPIRES_S,
        **fields: Any,
    ) -> AsyncGenerator[BatchOutcome]:
        """Ask every line in the batch lane, and yield how each ends, as it ends; in no order.

        At most `window` lines are under way, so that any number of them is fine. Replies come to a durable
        queue of this `name`, which outlives this program and is removed when all lines have ended. Whoever
        breaks off, crashes or is killed runs the same lines under the same name again: what has been
        answered is answered again and not paid again, for as long as the fleet remembers it (24 h); what had
        come meanwhile lies in the queue. To leave out lines whose outcomes you have stored, don't give them
        again.

        An outcome is acknowledged when you ask for the next one: whoever crashes in the loop's body sees it
        again.

        Args:
            lines: texts, or `Line`s with a key and fields of their own. They are read as room comes up, on
                this event loop.
            name: the batch's word, as in `invoices-2026`: 1 to 64 letters, digits, underscores or hyphens.
                A line's ID is made of this name, its key and what it asks.
            model: for lines that name none.
            thinking: for lines that say nothing else; as in `complete`.
            tenant: who asks, where it is not the `Fleet`'s own tenant.
            window: lines under way at once, up to 10,000.
            expires_s: how long the queue waits for you to come back, in seconds.
            **fields: anything else of DeepSeek's request, for lines that do not have it.

        Raises:
            BatchUnderWay: another program runs the batch of this name.
            FleetError: the queue could not be opened, or the broker has no place for requests. How a single
                line fails is its outcome's `error`.
        """
        asker = self._settings.tenant if tenant is None else tenant
        wish = BatchWish(name, asker, window, expires_s)
        common = {**fields, "model": model, "thinking": thinking}
        terms = Terms(id=name, tenant=asker, timeout_s=None, lane=Lane.BATCH)
        asking = Asking(name, terms, common, self._now_ms())
        async with aclosing(self._opened.batch(wish, _asked(lines, asking))) as found:
            async for outcome in found:
                yield outcome


async def _asked(lines: Lines, asking: Asking) -> AsyncGenerator[Ready | Refused]:
    number = 0
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            number += 1
            yield asking.of(line, number)
        return
    for line in lines:
        number += 1
        yield asking.of(line, number)
