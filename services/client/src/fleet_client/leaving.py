"""Work that nobody waits for: submit a request and go, and follow how requests end."""
# ruff: noqa: A002, PLR0913 -- `id` is the word that callers use; an editor shows them every argument of a call

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from fleet_client.asking import DEFAULT_MODEL
from fleet_client.following import Wish
from fleet_client.opening import Opening
from fleet_client.outcome import Outcome
from fleet_client.request import Message, Prompt, build, chat_fields
from fleet_client.terms import Deadline, LaneName
from fleet_contracts import Lane, RequestType

CONFIRM_TIMEOUT_S = 30.0
MAX_WAITING_RESULTS = 100_000
QUEUE_EXPIRES_S = 7 * 24 * 3600.0
DEFAULT_PREFETCH = 20


class Leaving(Opening):
    """`submit` and `results`."""

    async def submit(
        self,
        prompt: Prompt,
        *,
        model: str = DEFAULT_MODEL,
        id: str | None = None,
        retry: int = 0,
        tenant: str | None = None,
        thinking: bool | Message | None = None,
        deadline: Deadline | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        traceparent: str | None = None,
        tracestate: str | None = None,
        timeout_s: float = CONFIRM_TIMEOUT_S,
        **fields: Any,
    ) -> str:
        """Hand a request over and return its ID, once the broker has confirmed that it is safe there.

        How it ends comes to `deepseek.results`; read it with `results`. Asking the same again under the ID
        with `complete` brings the same answer to you.

        The arguments are those of `complete`, but: where no `deadline` is given the answer is wanted however
        late, and `timeout_s` is the time for the confirm, in seconds.

        Raises:
            NotDelivered: the broker did not confirm it. It may have it all the same: submit again with the
                same `id`.
        """
        terms = self._terms(
            id,
            tenant,
            None,
            deadline=deadline,
            retry=retry,
            lane=lane,
            traceparent=traceparent,
            tracestate=tracestate,
        )
        body = chat_fields(prompt, model, thinking, fields, stream=False)
        request = build(RequestType.CHAT, body, terms, self._now_ms())
        await self._opened.submit(request, timeout_s)
        return request.id

    async def results(
        self,
        name: str,
        *,
        pattern: str | Sequence[str] | None = None,
        max_messages: int = MAX_WAITING_RESULTS,
        expires_s: float = QUEUE_EXPIRES_S,
        prefetch: int = DEFAULT_PREFETCH,
    ) -> AsyncGenerator[Outcome]:
        """Yield how requests end, those that were submitted and all others, for as long as you read.

        They are kept in a durable queue of this `name`, which is made when the first reader comes: the next
        reader goes on where the last one was, and readers at the same time share the work. An outcome is
        acknowledged when you ask for the next one, so whoever breaks off or crashes in the loop's body sees
        that outcome again: at least once, never lost.

        Args:
            name: the queue's word, as in `invoices`: 1 to 64 letters, digits, underscores or hyphens.
            pattern: one or more of `<kind>.<tenant>.<model>`, with `*` for one word and `#` for any, as in
                `result.billing.#`; every result and failure of this `Fleet`'s tenant where left out. A queue
                keeps the patterns it once had: for others use another name.
            max_messages: how many outcomes may wait; beyond it (and beyond 1 GiB) the oldest are dropped.
            expires_s: how long the queue waits for a reader before it is removed, in seconds.
            prefetch: how many outcomes are under way to this reader at once.

        Raises:
            BrokerUnreachable: the queue could not be opened.
            FleetClosed: the `Fleet` was left.
            InvalidRequest: the name or a bound is wrong.
        """
        wish = Wish(name, self._settings.tenant, self._patterns(pattern), max_messages, expires_s, prefetch)
        async with aclosing(self._opened.outcomes(wish)) as found:
            async for outcome in found:
                yield outcome

    def _patterns(self, pattern: str | Sequence[str] | None) -> tuple[str, ...]:
        if pattern is None:
            tenant = self._settings.tenant
            return f"result.{tenant}.#", f"failure.{tenant}.#"
        return (pattern,) if isinstance(pattern, str) else tuple(pattern)
