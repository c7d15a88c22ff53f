"""The conversations of a fake fleet, kept by the rules of the fleet."""

import asyncio
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from fleet_client.request import Request
from fleet_client.testing.script import Fails, Says
from fleet_contracts import ErrorCode, headers

Json = dict[str, Any]
_CALL = {"type": "function"}


@dataclass(slots=True)
class Kept:
    """One conversation, one turn at a time."""

    id: str
    version: int = 0
    system: list[Json] = field(default_factory=list[Json])
    messages: list[Json] = field(default_factory=list[Json])
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def place(self) -> Json:
        """As a reply names it."""
        return {"id": self.id, "version": self.version}

    def refuses(self, request: Request) -> Fails | None:
        """The end of a turn that continues another version."""
        wanted = request.headers.get(headers.CONVERSATION_VERSION)
        return None if wanted in {None, self.version} else Fails(ErrorCode.CONVERSATION_CONFLICT)

    def append(self, body: Json, reply: Says) -> None:
        """Keep a turn with its answer."""
        said: list[Json] = body["messages"]
        system = list(takewhile(lambda message: message.get("role") == "system", said))
        answer: Json = {"role": "assistant", "content": "".join(reply.pieces)}
        if reply.reasoning:
            answer["reasoning_content"] = reply.reasoning
        if reply.tool_calls:
            answer["tool_calls"] = [{**_CALL, **call} for call in reply.tool_calls]
        self.system = system or self.system
        self.messages += [*said[len(system) :], answer]
        self.version += 1

    def clear(self) -> None:
        """Forget what was said."""
        self.system, self.messages = [], []
        self.version += 1


class Conversations:
    """All of a fake fleet, each tenant's apart."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Kept] = {}

    def of(self, request: Request) -> Kept | None:
        """The conversation that a request is of; None where it is of none."""
        name = request.headers.get(headers.CONVERSATION)
        return None if name is None else self._kept.setdefault((request.tenant, name), Kept(name))
