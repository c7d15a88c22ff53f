"""The seam inside: the same atomic steps on histories in a shared store and in the memory of one process."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fleet_worker.conversations.history import History, Message, Said
from fleet_worker.request import ConversationKey

Hear = Callable[[bytes], None]
"""Takes a message that was sent to this worker's channel."""

LEASE_S = 15.0
"""A turn without a word for so long has lost its place: three renewals may fail."""
RENEW_S = 5.0
"""A third of the lease, as in the ledger."""
ANSWER_KEPT_S = 60 * 60.0
"""How long an appended turn's terminal reply is kept for whoever takes over before it was committed."""
EMPTY_KEPT_S = 2 * 60 * 60.0
"""How long a name is kept under which nothing was said: longer than any request may be held."""
MOST_WAITING = 16
"""More who wait for one conversation are not told; they come back by themselves."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What operators may choose."""

    kept_s: float = 30 * 24 * 60 * 60.0
    """How long a conversation is kept after its last turn, in seconds."""
    most_bytes: int = 4 * 1024 * 1024
    """Beyond so many bytes of one conversation, its oldest exchanges are forgotten."""
    lease_s: float = LEASE_S


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for the next turn of a conversation."""

    turn: str
    """The request's key as text."""
    fence: int
    """Of its claim in the ledger: of two workers with the same request, the one with the higher has it."""
    channel: str
    """Where to tell that the conversation has come free."""
    continues: int | None = None
    """The version that it must have; None where any will do."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The conversation is this turn's alone until it is appended or released."""

    history: History


@dataclass(frozen=True, slots=True)
class Answered:
    """This turn was appended before."""

    body: bytes | None
    """Its terminal reply's body; None where it is not kept any more."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another turn is under way; the asker is told when it is over."""

    left_ms: int
    """Until its lease ends, if it is not renewed."""


@dataclass(frozen=True, slots=True)
class Differs:
    """The conversation is at another version than the turn continues."""

    version: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A later claim of the same request has it."""


TakeAnswer = Taken | Answered | Busy | Differs | Lost


@dataclass(frozen=True, slots=True)
class Addition:
    """A turn to be appended, with all that is known of its conversation, should the store have lost that."""

    history: History
    """As it was taken."""
    said: Said
    system: list[Message]
    first: int
    """The oldest version that is still sent."""
    answer: bytes
    """The terminal reply's body."""


class Appended(StrEnum):
    """What became of an addition."""

    APPENDED = "appended"
    """It is in the history, now or since before."""
    LOST = "lost"
    """The turn has no right to the conversation any more; nothing was changed."""


class Histories(Protocol):
    """Every step is atomic, may be repeated without harm, and raises StoreUnavailableError without an answer.

    Messages to a worker's channel: `turn <conversation>`, where `<conversation>` is as `name_of` gives it: it
    has come free.
    """

    async def take(self, key: ConversationKey, claim: Claim) -> TakeAnswer:
        """Have the conversation to oneself, if nobody has it; a lease that has ended is nobody's."""
        ...

    async def keep(self, key: ConversationKey, claim: Claim) -> bool:
        """Renew; whether the turn still has it."""
        ...

    async def release(self, key: ConversationKey, claim: Claim) -> None:
        """Leave it as it was, and tell who waits; nothing where the turn does not have it."""
        ...

    async def append(self, key: ConversationKey, claim: Claim, addition: Addition) -> Appended:
        """Add the turn, once however often it is asked; gives the conversation free, and tells who waits.

        A conversation that the store has lost since it was taken is stated anew.
        """
        ...

    async def clear(self, key: ConversationKey, claim: Claim, version: int, answer: bytes) -> Appended:
        """Forget all but the version, which becomes `version`; otherwise as `append`."""
        ...

    async def answer(self, key: ConversationKey, turn: str) -> bytes | None:
        """The terminal reply of a turn that was appended and may not have been committed."""
        ...

    async def forget_answer(self, key: ConversationKey, turn: str) -> None:
        """The end is committed: the ledger has it."""
        ...

    async def look(self, key: ConversationKey) -> History:
        """The conversation as it is. Changes nothing."""
        ...


def name_of(key: ConversationKey) -> str:
    """A conversation as one string: a tenant has no slash, so no two give the same."""
    return "/".join(key)
