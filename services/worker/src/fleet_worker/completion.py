"""What an upstream call gives: deltas while it runs, then a whole completion or one error."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fleet_contracts.codes import ErrorCode

TOKENS_A_BYTE = 0.3
"""An English character is about 0.3 tokens, a Chinese one 0.6 and three bytes, so this is rather too many.
Source: https://api-docs.deepseek.com/quick_start/token_usage"""

_TURNS_AWAY = frozenset({429, 503})
"""Source: https://api-docs.deepseek.com/quick_start/error_codes"""


class Delta(NamedTuple):
    """A piece of the answer, in DeepSeek's shape."""

    fields: dict[str, Any]
    """`content`, `reasoning_content`, `tool_calls`: only what is there and not empty."""
    logprobs: dict[str, Any] | None = None

    @property
    def tokens(self) -> float:
        """About how many tokens it is: by its text, and at least the one that made it."""
        size = 0
        for text in self.fields.values():
            if type(text) is str:
                size += len(text) if text.isascii() else len(text.encode(errors="replace"))
        return max(1.0, size * TOKENS_A_BYTE)


Emit = Callable[[Delta], None]
"""Takes each delta as it comes; never waits, so that a slow reader can't hold up the upstream."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer."""

    response: dict[str, Any]
    """The chat.completion (or text_completion) object, as DeepSeek returns it unstreamed."""
    trace_id: str | None
    first_content_ms: int | None
    upstream_ms: int
    longest_gap_ms: int | None = None
    """The longest time between two pieces of text; None where there were no two."""
    estimated: bool = False
    """Whether a part of the usage is an estimate, because the upstream did not tell it."""
    cost: dict[str, Any] | None = None
    """What it cost, as the contract's `Cost`; None where nobody knows."""
    account: str | None = None
    """Who paid, by the operators' name for it."""
    conversation: dict[str, Any] | None = None
    """The conversation that this answer is in, as the contract's `Conversation`; None where it is in none."""


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """What the upstream said about its failure."""

    status: int | None = None
    type: str | None = None
    message: str | None = None
    trace_id: str | None = None


@dataclass(eq=False, repr=False)
class CompletionError(Exception):
    """The one error of an upstream call. `again` says whether the same call may succeed if made again."""

    code: ErrorCode
    message: str
    again: bool
    retry_after_s: float | None = None
    upstream: UpstreamAnswer | None = None
    partial: dict[str, str] = field(default_factory=dict[str, str])
    """The text that came before the break, by field."""
    usage: dict[str, Any] | None = None
    """What the call used, where the upstream told it before the break."""
    first_content_ms: int | None = None
    upstream_ms: int = 0
    """How long the call lasted."""
    longest_gap_ms: int | None = None
    blames_upstream: bool = True
    """False where the upstream works and only this answer is of no use."""

    @property
    def turned_away(self) -> bool:
        """Whether nothing was taken on, and nothing paid: the upstream was full or overloaded, or we were."""
        if self.code is ErrorCode.OVERLOADED:
            return True
        return self.upstream is not None and self.upstream.status in _TURNS_AWAY

    def __str__(self) -> str:
        """The message alone: never text of the request or the answer."""
        return f"{self.code}: {self.message}"
