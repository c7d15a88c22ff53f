"""The calls that wait for their answer."""
# ruff: noqa: A002, PLR0913 -- `id` is the word that callers use; an editor shows them every argument of a call

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Literal, overload

from fleet_client.answer import Answer
from fleet_client.errors import Internal
from fleet_client.events import Event, Finished, Waiting
from fleet_client.opening import Opening
from fleet_client.request import Message, Prompt, Request, build, chat_fields, fim_fields
from fleet_client.structured import M, asking_for, parsed
from fleet_client.terms import Deadline, LaneName, OnBreakName, Terms
from fleet_contracts import Lane, RequestType

DEFAULT_MODEL = "deepseek-flash"


class Asking(Opening):
    """`complete`, `stream`, `chat` and `fim`."""

    @overload
    async def complete(
        self,
        prompt: Prompt,
        *,
        as_: None = None,
        model: str = DEFAULT_MODEL,
        id: str | None = None,
        retry: int = 0,
        tenant: str | None = None,
        thinking: bool | Message | None = None,
        timeout_s: float | None = None,
        deadline: Deadline | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        waiting: Callable[[Waiting], object] | None = None,
        on_break: OnBreakName | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        **fields: Any,
    ) -> Answer: ...

    @overload
    async def complete(
        self,
        prompt: Prompt,
        *,
        as_: type[M],
        model: str = DEFAULT_MODEL,
        id: str | None = None,
        retry: int = 0,
        tenant: str | None = None,
        thinking: bool | Message | None = None,
        timeout_s: float | None = None,
        deadline: Deadline | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        waiting: Callable[[Waiting], object] | None = None,
        on_break: OnBreakName | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        **fields: Any,
    ) -> M: ...

    async def complete(
        self,
        prompt: Prompt,
        *,
        as_: type[M] | None = None,
        model: str = DEFAULT_MODEL,
        id: str | None = None,
        retry: int = 0,
        tenant: str | None = None,
        thinking: bool | Message | None = None,
        timeout_s: float | None = None,
        deadline: Deadline | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        waiting: Callable[[Waiting], object] | None = None,
        on_break: OnBreakName | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        **fields: Any,
    ) -> Answer | M:
        """The answer to a prompt (one user message) or to a list of messages.

        Cancelling the task that awaits it, or running out of time, cancels the request in the fleet.

        Args:
            prompt: a text, or DeepSeek's `messages`.
            as_: a pydantic model: the answer is asked for as JSON of its schema, and returned as its object.
            model: `deepseek-flash` or `deepseek-v4-pro`.
            id: the correlation ID: asking the same again under it brings the stored answer and is not paid
                again; random where left out.
            retry: count up from 0 to ask anew under an ID whose request ended in an error.
            tenant: who asks, where it is not the `Fleet`'s own tenant.
            thinking: whether the model thinks first; where left out DeepSeek decides, and it thinks.
            timeout_s: time for this call, in seconds.
            deadline: when nobody wants the answer any more, in seconds from now or as a moment with its time
                zone; the earlier of the two counts.
            lane: `batch` for what can wait.
            waiting: is called with each `Waiting` while the request waits for its turn.
            on_break: what to do where the call breaks after text was sent: `restart`, `continue` or `fail`.
            traceparent: W3C Trace Context; where left out, OpenTelemetry's current span, if there is one.
            tracestate: goes with `traceparent`.
            **fields: anything else of DeepSeek's request, as in `max_tokens=200` or `tools=[...]`.

        Raises:
            FleetError: there is no answer; the class says why.
        """
        terms = self._call_terms(
            id,
            tenant,
            timeout_s,
            deadline=deadline,
            retry=retry,
            lane=lane,
            waiting=waiting is not None,
            on_break=on_break,
            traceparent=traceparent,
            tracestate=tracestate,
        )
        if as_ is not None:
            prompt, fields = asking_for(as_, prompt, fields)
        body = chat_fields(prompt, model, thinking, fields, stream=False)
        answer = await self._answer(build(RequestType.CHAT, body, terms, self._now_ms()), waiting)
        return answer if as_ is None else parsed(as_, answer)

    async def stream(
        self,
        prompt: Prompt,
        *,
        model: str = DEFAULT_MODEL,
        id: str | None = None,
        retry: int = 0,
        tenant: str | None = None,
        thinking: bool | Message | None = None,
        timeout_s: float | None = None,
        deadline: Deadline | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        waiting: bool = False,
        on_break: OnBreakName | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        **fields: Any,
    ) -> AsyncGenerator[Event]:
        """Yield the answer as it is written; the last event is `Finished` with the whole answer.

        After a `Restarted`, drop what came before it. What came since always joins to the answer. Leaving
        the loop early cancels the request in the fleet.

        The arguments are those of `complete` but `as_`; with `waiting=True` the stream also yields `Waiting`
        while the request waits for its turn.

        Raises:
            FleetError: there is no answer; the class says why.
        """
        terms = self._call_terms(
            id,
            tenant,
            timeout_s,
            deadline=deadline,
            retry=retry,
            lane=lane,
            waiting=waiting,
            on_break=on_break,
            traceparent=traceparent,
            tracestate=tracestate,
        )
        body = chat_fields(prompt, model, thinking, fields, stream=True)
        request = build(RequestType.CHAT, body, terms, self._now_ms())
        async with aclosing(self._opened.events(request)) as events:
            async for event in events:
                yield event

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
        id: str | None = None,
        retry: int = 0,
        tenant: str | None = None,
        timeout_s: float | None = None,
        deadline: Deadline | None = None,
        lane: LaneName = Lane.INTERACTIVE,
        waiting: Callable[[Waiting], object] | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        **fields: Any,
    ) -> Answer:
        """The text between `prompt` and `suffix` (fill in the middle); the other arguments as in `complete`.

        Raises:
            FleetError: there is no answer; the class says why.
        """
        terms = self._call_terms(
            id,
            tenant,
            timeout_s,
            deadline=deadline,
            retry=retry,
            lane=lane,
            waiting=waiting is not None,
            traceparent=traceparent,
            tracestate=tracestate,
        )
        body = fim_fields(prompt, suffix, model, fields)
        return await self._answer(build(RequestType.FIM, body, terms, self._now_ms()), waiting)

    def _call_terms(
        self, correlation_id: str | None, tenant: str | None, timeout_s: float | None, **others: Any
    ) -> Terms:
        time_s = self._timeout_s if timeout_s is None else timeout_s
        return self._terms(correlation_id, tenant, time_s, **others)

    async def _answer(self, request: Request, waiting: Callable[[Waiting], object] | None) -> Answer:
        async with aclosing(self._opened.events(request)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.answer
                if isinstance(event, Waiting) and waiting is not None:
                    waiting(event)
        raise Internal("The call ended without a word.", correlation_id=request.id)
