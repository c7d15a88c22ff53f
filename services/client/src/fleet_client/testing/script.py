"""What a fake fleet can be told to reply."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet_client.errors import FleetError
from fleet_client.testing.recorded import Asked
from fleet_contracts import ErrorCode


@dataclass(frozen=True, slots=True)
class Says:
    """An answer.

    Attributes:
        text: the answer; a list is streamed piece by piece, a text word by word.
        reasoning: what the model thinks before it.
        tool_calls: in DeepSeek's shape.
        finish_reason: `tool_calls` where there are some, else `stop`, unless you say otherwise.
        broken: texts of earlier attempts that broke off; a stream shows each, and a `Restarted` after it.
        waits: for each `Waiting` to be told first, the position in the line.
    """

    text: str | Sequence[str] = field(default="", repr=False)
    reasoning: str = field(default="", repr=False)
    tool_calls: Sequence[dict[str, Any]] = field(default=(), repr=False)
    finish_reason: str | None = None
    broken: Sequence[str] = field(default=(), repr=False)
    waits: Sequence[int] = ()

    @property
    def pieces(self) -> list[str]:
        """The text as it is streamed."""
        if not isinstance(self.text, str):
            return list(self.text)
        return [word for word in self.text.replace(" ", " \0").split("\0") if word]


@dataclass(frozen=True, slots=True)
class Fails:
    """A failure of the contract.

    Attributes:
        code: why.
        message: the sentence; the contract's own advice where left out.
        partial: the text that came before the break; a stream shows it first.
        upstream: what DeepSeek said, as in `{"status": 429}`.
        retryable: whether asking again can help; what the contract says of the code where left out.
    """

    code: ErrorCode | str
    message: str = ""
    partial: str = field(default="", repr=False)
    upstream: dict[str, Any] | None = None
    retryable: bool | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """No final reply: for what your code does about deadlines and cancels.

    Attributes:
        partial: the text that came before the silence; only a stream shows it.
    """

    partial: str = field(default="", repr=False)


Reply = str | Says | Fails | Silence | FleetError
"""How one request ends. A `str` is an answer; an error is raised as it is, as `NotDelivered` would be."""
Play = Callable[[Asked], Reply | Awaitable[Reply]]
"""Decides on the reply from what was asked."""
