"""Makes the request for the upstream out of a turn and the history before it."""

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import orjson

from fleet_worker.conversations.building import (
    answering_open_calls,
    leading_system,
    said_with,
    upstream_messages,
)
from fleet_worker.conversations.history import History, Message, Said
from fleet_worker.conversations.observing import ConversationObserver
from fleet_worker.conversations.tokens import OVERHEAD, TokenCounter
from fleet_worker.conversations.trimming import first_sent, room_for
from fleet_worker.request import Request

Trim = Literal["oldest_turns", "never"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn as the upstream gets it, and what the history will need of it."""

    request: Request
    system: list[Message]
    new: list[Message]
    first: int
    """The oldest version that is sent."""

    def said(self, turn: str, response: dict[str, Any]) -> Said:
        """The turn with its answer."""
        return said_with(turn, self.new, response["choices"][0]["message"])


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks with as much of the history as the model's context holds.

    Attributes:
        trim: the policy, see `trimming`; `never` sends all, and lets DeepSeek refuse what is too long.
        most_tokens: of one prompt; what the model's context leaves room for where None.
        counter: counts what may be too long.
        observer: is told what is left out.
    """

    trim: Trim
    most_tokens: int | None
    counter: TokenCounter
    observer: ConversationObserver

    async def ask(self, wanted: Request, history: History) -> Asked:
        """The request with its history. A system prompt at its beginning replaces the one before."""
        given, new = leading_system(cast("list[Message]", wanted.body["messages"]))
        system, sent = given or history.system, history.sent
        asked = _Draft(wanted, system, sent, answering_open_calls(sent, new))
        payload = asked.payload()
        room = room_for(wanted.body, self.most_tokens)
        start = 0
        if self.trim != "never" and len(payload) + OVERHEAD * len(asked.messages()) > room:
            start = await self._start(asked, room)
        if start:
            self.observer.trimmed(start)
            asked = replace(asked, sent=sent[start:])
            payload = asked.payload()
        first = history.version - len(asked.sent) + 1
        request = replace(wanted, body=asked.body(), payload=payload)
        return Asked(request, system, asked.new, max(history.first, first))

    async def _start(self, asked: "_Draft", room: int) -> int:
        tools: Message = {"role": "tools", "content": orjson.dumps(asked.wanted.body.get("tools")).decode()}
        fixed, *costs = await self.counter.count(
            [[tools, *asked.system, *asked.new], *(asked.messages_of(said) for said in asked.sent)]
        )
        goes_on = bool(asked.new) and asked.new[0].get("role") == "tool"
        return first_sent(asked.sent, costs, fixed, room, goes_on=goes_on)


@dataclass(frozen=True, slots=True)
class _Draft:
    wanted: Request
    system: list[Message]
    sent: list[Said]
    new: list[Message]

    @property
    def reasoning(self) -> bool:
        return bool(self.wanted.body.get("tools"))

    def messages(self) -> list[Message]:
        return upstream_messages(self.system, self.sent, self.new, reasoning=self.reasoning)

    def messages_of(self, said: Said) -> list[Message]:
        return upstream_messages([], [said], [], reasoning=self.reasoning)

    def body(self) -> dict[str, Any]:
        return {**self.wanted.body, "messages": self.messages()}

    def payload(self) -> bytes:
        return orjson.dumps(self.body())
