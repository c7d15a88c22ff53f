"""Pure: a conversation as it is kept, turn by turn, and how one turn is written down."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import orjson

Message = dict[str, Any]

_GOES_ON, _OF_ITS_OWN = b"+", b"-"


@dataclass(frozen=True, slots=True)
class Said:
    """One turn: what its request added, and the answer."""

    turn: str
    """The request's key as text: what makes this turn the same turn."""
    messages: list[Message]

    @property
    def goes_on(self) -> bool:
        """Whether it brings results of calls that the turn before it asked for: the two are never split."""
        return self.messages[0].get("role") == "tool"


@dataclass(frozen=True, slots=True)
class History:
    """A conversation. One that nobody has begun has the history of these defaults."""

    version: int = 0
    """Rises by one with each turn and each clear."""
    first: int = 1
    """The oldest version whose turn is still sent: what was trimmed once stays out, so that prefixes last."""
    system: list[Message] = field(default_factory=list[Message])
    """The system prompt."""
    turns: list[Said] = field(default_factory=list[Said])
    """What is kept, the newest last; its version is the conversation's."""

    @property
    def messages(self) -> list[Message]:
        """All that is kept, as its caller may read it."""
        return [*self.system, *(message for said in self.turns for message in said.messages)]

    @property
    def sent(self) -> list[Said]:
        """The turns that are still sent."""
        oldest = self.version - len(self.turns) + 1
        return self.turns[max(0, self.first - oldest) :]


def entry_of(said: Said) -> bytes:
    """A turn as it is stored: whether it goes on a tool exchange, whose it is, and its messages as JSON."""
    flag = _GOES_ON if said.goes_on else _OF_ITS_OWN
    return flag + said.turn.encode() + b"\n" + orjson.dumps(said.messages)


def said_in(entry: bytes) -> Said:
    """The turn that `entry_of` wrote."""
    head, _, messages = entry.partition(b"\n")
    return Said(head[1:].decode(), cast("list[Message]", orjson.loads(messages)))


def turn_in(entry: bytes) -> str:
    """Whose turn it is that `entry_of` wrote."""
    return entry[1 : entry.index(b"\n")].decode()


def goes_on(entry: bytes) -> bool:
    """`Said.goes_on`, read from what is stored."""
    return entry.startswith(_GOES_ON)


def kept_within(entries: list[bytes], most_bytes: int) -> list[bytes]:
    """The newest entries that fit; an exchange stays or goes as a whole, and the newest always stays."""
    starts = [place for place, entry in enumerate(entries) if place == 0 or not goes_on(entry)]
    size = sum(map(len, entries))
    for start, following in pairwise(starts):
        if size <= most_bytes:
            return entries[start:]
        size -= sum(map(len, entries[start:following]))
    return entries[starts[-1] :] if starts else []
