"""What a stream yields. After a `Restarted`, drop the text, reasoning and tool calls that came before it."""

from dataclasses import dataclass, field
from typing import Any

from fleet_client.answer import Answer

CHUNKS_LOST = "chunks_lost"
"""Reason of a `Restarted` whose cause is here: chunks were lost, and the whole answer follows."""
NEW_ATTEMPT = "new_attempt"
"""Reason of a `Restarted` that no reply announced: chunks of a newer attempt came."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The request waits for its turn; only where the call asked for `waiting=True`."""

    position: int
    estimate_ms: int | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A worker has begun. `queued_ms` is how long the request had waited, in milliseconds."""

    attempt: int
    queued_ms: int
    worker: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of what the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index`: join the `arguments` of one index."""

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """A new attempt begins: what came before this event does not belong to the answer."""

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event: the whole answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class ToolRan:
    """Of a conversation: one of its functions was called, here, and the answer goes on with what it said.

    Attributes:
        name: the function.
        arguments: as the model wrote them, JSON.
        result: what the model is told.
        failed: whether the function raised, or the arguments did not fit it.
    """

    name: str
    arguments: str = field(repr=False)
    result: str = field(repr=False)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """A conversation as the fleet keeps it: `messages` in DeepSeek's shape, the system prompt first."""

    id: str
    version: int
    messages: list[dict[str, Any]] = field(repr=False)


Piece = Reasoning | Text | ToolCallDelta
Event = Waiting | Accepted | Piece | Restarted | ToolRan | Finished
