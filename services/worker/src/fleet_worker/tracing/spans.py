"""What the worker says of a request's course, in words of its own: the door translates them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

Value = str | int | float | bool | Sequence[str]
Attributes = Mapping[str, Value | None]
"""What is said of a span; what is None is not said. Never text of a request or an answer."""


class Kind(Enum):
    """What a span is to its neighbours, as OpenTelemetry has it."""

    INTERNAL = auto()
    CONSUMER = auto()
    PRODUCER = auto()
    CLIENT = auto()


@dataclass(frozen=True, slots=True)
class Link:
    """Another span that this one follows: `word` says which, `why` how the two hang together."""

    word: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a span begins.

    Attributes:
        name: a word of few values, as backends group by it.
        word: what its id is made of, where others must be able to name it; random where empty.
        start_ms: Unix time in ms; now where None.
    """

    name: str
    kind: Kind = Kind.INTERNAL
    attributes: Attributes = field(default_factory=dict[str, Value | None])
    links: Sequence[Link] = ()
    word: str = ""
    start_ms: int | None = None


class Span(Protocol):
    """A span that is open."""

    @property
    def trace(self) -> str:
        """The id of its trace, in hex."""
        ...

    def say(self, attributes: Attributes) -> None:
        """Add what became known."""
        ...

    def event(self, name: str, at_ms: int | None = None) -> None:
        """Note a moment in it; now, or at a Unix time in ms."""
        ...

    def failed(self, error: str) -> None:
        """It did not do what it was for; `error` is a code or a class, never a text."""
        ...


class Tracer(Protocol):
    """Opens spans."""

    def continuing(self, headers: Mapping[str, Any], word: str) -> AbstractContextManager[None]:
        """Let the spans of the block belong to the trace that a message's headers name.

        Where they name none, or not as W3C Trace Context says, the trace's id is made of `word`, so that
        every worker finds the same one.
        """
        ...

    def span(self, opening: Opening) -> AbstractContextManager[Span]:
        """Open a span for the length of a block; those that open inside are its children.

        An error that leaves the block is noted by its class.
        """
        ...

    def past(self, opening: Opening) -> None:
        """Note a span that ends now."""
        ...

    def close(self) -> None:
        """Send what has not been sent yet, for at most some seconds."""
        ...
