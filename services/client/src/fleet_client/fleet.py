"""The way in: ask the fleet as if it were a local function."""

import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, overload

from fleet_client.answer import Answer
from fleet_client.errors import FleetClosed, Internal, InvalidRequest
from fleet_client.events import Event, Finished
from fleet_client.request import (
    Fields,
    LaneName,
    Message,
    OnBreakName,
    Prompt,
    Request,
    Terms,
    build,
    chat_fields,
)
from fleet_client.session import Session, Settings
from fleet_contracts import Lane, RequestType
from fleet_contracts.grammar import DEFAULT_TENANT

DEFAULT_MODEL = "deepseek-flash"
DEFAULT_TIMEOUT_S = 900.0
_OWN_ARGUMENTS = frozenset({"messages", "stream"})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Fleet:
    """A client of the fleet, for as many calls at once as you like. Use it with `async with`.

    While it is open it holds two connections and one reply queue, and gets over a broker's restart by itself:
    calls under way go on. Leaving it ends calls under way with `FleetClosed`.

    Args:
        url: the broker and vhost, as in `amqp://user:password@host:5672/vhost`.
        tenant: who asks: 1 to 64 letters, digits, underscores or hyphens.
        timeout_s: time for one call, from asking to the last event, in seconds.
        connect_timeout_s: time to connect on entering, in seconds.
        grace_s: how much longer a call waits for the fleet's own word about a missed deadline, in seconds.
        max_buffered_events: how far the reader of one stream may fall behind. A slower one gets no more
            pieces until the answer is whole, then everything it lacks; other streams never notice.
        chance: source of random words and jitter; the system's own where left out.
        now_ms: Unix time in milliseconds; the system's own where left out.

    Raises:
        ValueError: the URL or the tenant is malformed.
    """

    def __init__(  # noqa: PLR0913 -- every bound of the client, in the one place where it is built
        self,
        url: str,
        *,
        tenant: str = DEFAULT_TENANT,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        connect_timeout_s: float = 10.0,
        grace_s: float = 2.0,
        max_buffered_events: int = 1024,
        chance: random.Random | None = None,
        now_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self._settings = Settings(url, tenant, connect_timeout_s, grace_s, max_buffered_events)
        self._timeout_s = timeout_s
        self._chance = chance or random.SystemRandom()
        self._now_ms = now_ms
        self._session: Session | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnreachable: no connection within `connect_timeout_s`.
        """
        session = Session(self._settings, self._chance)
        await session.open()
        self._session = session
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End calls under way, delete the reply queue, disconnect."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def complete(
        self,
        prompt: Prompt,
        *,
        model: str = DEFAULT_MODEL,
        id: str | None = None,  # noqa: A002 -- the word that callers use
        thinking: bool | Message | None = None,
        timeout_s: float | None = None,
        deadline: datetime | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        **fields: Any,
    ) -> Answer:
        """The answer to a prompt (one user message) or to a list of messages.

        Args:
            prompt: a text, or DeepSeek's `messages`.
            model: `deepseek-flash` or `deepseek-v4-pro`.
            id: the correlation ID: asking again under it brings the same answer and is not paid again.
            thinking: whether the model thinks first; where left out DeepSeek decides, and it thinks.
            timeout_s: time for this call, in seconds.
            deadline: when nobody wants the answer any more; the earlier of the two counts.
            lane: `batch` for what can wait.
            **fields: anything else of DeepSeek's request, as in `max_tokens=200` or `tools=[...]`.

        Raises:
            FleetError: there is no answer; the class says why.
        """
        terms = self._terms(id, timeout_s, deadline, lane)
        return await self._answer(self._chat(prompt, model, thinking, fields, terms, stream=False))

    async def stream(  # noqa: PLR0913 -- what a call may say is listed where an editor shows it
        self,
        prompt: Prompt,
        *,
        model: str = DEFAULT_MODEL,
        id: str | None = None,  # noqa: A002 -- the word that callers use
        thinking: bool | Message | None = None,
        timeout_s: float | None = None,
        deadline: datetime | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        waiting: bool = False,
        on_break: OnBreakName | None = None,
        **fields: Any,
    ) -> AsyncGenerator[Event]:
        """Yield the answer as it is written; the last event is `Finished` with the whole answer.

        After a `Restarted`, drop what came before it. What came since always joins to the answer.

        The arguments are those of `complete`, and two more: with `waiting` the stream also yields `Waiting`
        while the request waits for its turn; `on_break` says what to do where the call breaks after text was
        sent: `restart` (the default), `continue` or `fail`.

        Raises:
            FleetError: there is no answer; the class says why.
        """
        terms = self._terms(id, timeout_s, deadline, lane, waiting=waiting, on_break=on_break)
        events = self._opened.events(self._chat(prompt, model, thinking, fields, terms, stream=True))
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    @overload
    def chat(
        self, messages: Prompt, *, stream: Literal[False] = False, **options: Any
    ) -> Coroutine[Any, Any, Answer]: ...

    @overload
    def chat(self, messages: Prompt, *, stream: Literal[True], **options: Any) -> AsyncGenerator[Event]: ...

    def chat(
        self, messages: Prompt, *, stream: bool = False, **options: Any
    ) -> Coroutine[Any, Any, Answer] | AsyncGenerator[Event]:
        """`complete`, or `stream` where `stream=True`, with the arguments of each."""
        return self.stream(messages, **options) if stream else self.complete(messages, **options)

    async def fim(
        self,
        prompt: str,
        *,
        suffix: str | None = None,
        model: str = DEFAULT_MODEL,
        id: str | None = None,  # noqa: A002 -- the word that callers use
        timeout_s: float | None = None,
        deadline: datetime | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        **fields: Any,
    ) -> Answer:
        """The text between `prompt` and `suffix` (fill in the middle); the other arguments as in `complete`.

        Raises:
            FleetError: there is no answer; the class says why.
        """
        _refuse_own_arguments(fields)
        body: Fields = {**fields, "model": model, "prompt": prompt}
        if suffix is not None:
            body["suffix"] = suffix
        terms = self._terms(id, timeout_s, deadline, lane)
        return await self._answer(build(RequestType.FIM, body, terms, self._now_ms()))

    @property
    def _opened(self) -> Session:
        if self._session is None:
            raise FleetClosed("The Fleet is not open. Ask inside `async with Fleet(...) as fleet:`.")
        return self._session

    def _terms(
        self,
        correlation_id: str | None,
        timeout_s: float | None,
        deadline: datetime | None,
        lane: LaneName,
        *,
        waiting: bool = False,
        on_break: OnBreakName | None = None,
    ) -> Terms:
        return Terms(
            id=self._opened.word() if correlation_id is None else correlation_id,
            tenant=self._settings.tenant,
            timeout_s=self._timeout_s if timeout_s is None else timeout_s,
            lane=lane,
            deadline=deadline,
            waiting=waiting,
            on_break=on_break,
        )

    def _chat(
        self,
        prompt: str | Sequence[Message],
        model: str,
        thinking: bool | Message | None,  # noqa: FBT001 -- passed on as it came
        fields: Fields,
        terms: Terms,
        *,
        stream: bool,
    ) -> Request:
        _refuse_own_arguments(fields)
        body = {**fields, **chat_fields(prompt, model, thinking=thinking, stream=stream)}
        return build(RequestType.CHAT, body, terms, self._now_ms())

    async def _answer(self, request: Request) -> Answer:
        async for event in self._opened.events(request):
            if isinstance(event, Finished):
                return event.answer
        raise Internal("The call ended without a word.", correlation_id=request.id)


def _refuse_own_arguments(fields: Fields) -> None:
    taken = sorted(_OWN_ARGUMENTS & fields.keys())
    if taken:
        raise InvalidRequest(
            f"{' and '.join(taken)} can't be passed as a field. Give the messages as the first argument; to "
            "stream, use stream(...) or chat(..., stream=True)."
        )
