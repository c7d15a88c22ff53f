"""A conversation whose history the fleet keeps: each call says only what is new."""
# ruff: noqa: A002 -- `id` is the word that callers use

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fleet_client.answer import Answer
from fleet_client.errors import Internal
from fleet_client.events import Event, Finished, History
from fleet_client.request import Fields, Message, Prompt, chat_fields
from fleet_client.tools import Tools
from fleet_contracts import ConversationAction

DEFAULT_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Asks:
    """How a conversation asks.

    Attributes:
        turn: asks one turn: its body, on these terms.
        about: reads or clears the conversation, on these terms.
        time_s: time for one call where none is given, in seconds.
    """

    turn: Callable[[Fields, Mapping[str, Any]], AsyncGenerator[Event]]
    about: Callable[[ConversationAction, Mapping[str, Any]], Awaitable[History]]
    time_s: float


class Conversation:
    """One conversation, by its id; as many objects as you like, in as many processes, may stand for it.

    Two turns of it never cross: one that is asked while another is under way waits for its end. Built by
    `fleet.conversation`.

    Attributes:
        id: its name, among all of this tenant.
        version: the version that the last call here saw; None before the first.
    """

    def __init__(
        self,
        asks: Asks,
        id: str,
        system: str | None,
        model: str,
        tools: Tools,
        rounds: int,
        fields: Fields,
    ) -> None:
        self.id = id
        self.version: int | None = None
        self._asks = asks
        self._system = system
        self._model = model
        self._tools = tools
        self._rounds = rounds
        self._fields = fields

    async def send(self, prompt: Prompt, **options: Any) -> Answer:
        """Say something and return the answer; the functions that it asked for were called before that.

        Args:
            prompt: a text, or messages to add, as in the results of tools that you run yourself.
            **options: `version`, to go on from that one only; `id`, `retry`, `timeout_s` (for all rounds
                together), `deadline`, `lane`, `on_break`, `traceparent`, `tracestate` as in
                `Fleet.complete`; anything else is a field of DeepSeek's request for this turn.

        Raises:
            ConversationConflict: it is at another version than the one named.
            FleetError: there is no answer; the history is as it was, but for the rounds that were complete.
        """
        async with aclosing(self._turns(prompt, options, stream=False)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.answer
        raise Internal("The turn ended without a word.")

    async def stream(self, prompt: Prompt, **options: Any) -> AsyncGenerator[Event]:
        """Say something and yield the answer as it is written; the arguments are those of `send`.

        A function that was called is told as `ToolRan`, and the stream goes on with what the model makes of
        it; the last event is `Finished`, with the last answer.
        """
        async with aclosing(self._turns(prompt, options, stream=True)) as events:
            async for event in events:
                yield event

    async def history(self, **options: Any) -> History:
        """Read it: all that is kept, and its version. The options are those of `send` but its fields.

        Raises:
            FleetError: there is no answer.
        """
        return self._seen(await self._asks.about(ConversationAction.HISTORY, self._terms(options)))

    async def clear(self, **options: Any) -> History:
        """Forget all that was said; waits for a turn that is under way. The version goes on.

        Raises:
            FleetError: there is no answer.
        """
        return self._seen(await self._asks.about(ConversationAction.CLEAR, self._terms(options)))

    async def _turns(self, prompt: Prompt, options: dict[str, Any], *, stream: bool) -> AsyncGenerator[Event]:
        terms, fields = _apart(options)
        until = asyncio.get_running_loop().time() + terms.pop("timeout_s", self._asks.time_s)
        messages: Sequence[Message] = self._opening(prompt)
        for round_ in range(self._rounds + 1):
            answer: Answer | None = None
            body = self._body(messages, fields, stream=stream, last=round_ == self._rounds)
            time_s = until - asyncio.get_running_loop().time()
            asked_on = self._terms(_of_round(terms, round_, self.version) | {"timeout_s": time_s})
            async with aclosing(self._asks.turn(body, asked_on)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        answer = event.answer
                        break
                    yield event
            if answer is None:
                raise Internal("The turn ended without a word.")
            self.version = answer.conversation.version if answer.conversation else self.version
            if round_ == self._rounds or not self._tools.are_ours(answer.tool_calls):
                yield Finished(answer)
                return
            ran = await self._tools.run(answer.tool_calls)
            for each in ran:
                yield each.event
            messages = [each.message for each in ran]

    def _opening(self, prompt: Prompt) -> Sequence[Message]:
        said: list[Message] = (
            [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        )
        # Said each time, because whether anything was said before is the fleet's to know: it is kept once.
        return [{"role": "system", "content": self._system}, *said] if self._system else said

    def _body(self, messages: Sequence[Message], fields: Fields, *, stream: bool, last: bool) -> Fields:
        tools: Fields = {}
        if self._tools.definitions:
            tools = {"tools": self._tools.definitions}
            if last and self._rounds:
                # The last round has to end in words: a call that nobody answers would stay open.
                tools["tool_choice"] = "none"
        given = {**self._fields, **tools, **fields}
        model = given.pop("model", self._model)
        return chat_fields(messages, model, given.pop("thinking", None), given, stream=stream)

    def _terms(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**options, "conversation": self.id}

    def _seen(self, history: History) -> History:
        self.version = history.version
        return history


_TERMS = frozenset(
    ("id", "retry", "timeout_s", "deadline", "lane", "on_break", "traceparent", "tracestate", "version")
)


def _apart(options: dict[str, Any]) -> tuple[dict[str, Any], Fields]:
    terms = {name: value for name, value in options.items() if name in _TERMS}
    return terms, {name: value for name, value in options.items() if name not in _TERMS}


def _of_round(terms: dict[str, Any], round_: int, version: int | None) -> dict[str, Any]:
    """Where a turn brings results, nobody may have come between, and it has an ID of its own."""
    if round_ == 0:
        return terms
    own = {"id": f"{terms['id']}:{round_}"} if "id" in terms else {}
    return {**terms, **own, "version": version}
