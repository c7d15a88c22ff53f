"""Pure: what the ledger keeps of one request, and what it is told by those who ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet_worker.hold import Facts
from fleet_worker.terminal import Kind


@dataclass(frozen=True, slots=True)
class Head:
    """A terminal reply without its body: all that is left when the body is no longer kept."""

    kind: Kind
    fleet_id: str
    attempt: int
    outcome: str
    digest: str
    """sha-256 of the body."""


@dataclass(frozen=True, slots=True)
class Record:
    """One request. A request that nobody knows has the record of these defaults."""

    identity: str = ""
    """What a repeated request must share: type, conversation and digest of the body. Empty until claimed."""
    facts: Facts | None = None
    owner: str = ""
    """The channel of the worker that has it in hand; empty while nobody has."""
    fence: int = 0
    """Rises with every claim: whoever comes with an older one comes too late."""
    lease_ends_ms: int = 0
    attempts: int = 0
    attempts_before: int = 0
    """Attempts that had begun when its owner claimed it: with more, the owner has begun one itself."""
    void: str = ""
    """Why the text that was sent is void; empty where none was sent."""
    vanished: int = 0
    """Owners that began an attempt and were not heard of again."""
    cancelled: bool = False
    waiting: frozenset[str] = frozenset()
    """Channels of those to be told when the request ends or can be taken."""
    trials: Mapping[int, bytes] = field(default_factory=dict[int, bytes])
    """What happened in each attempt, encoded."""
    ended: Head | None = None
    body: bytes | None = None
    """The terminal reply's body while it is kept."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for a request, and what they know."""

    owner: str
    identity: str
    facts: Facts
    attempts: int = 0
    """Attempts to count where the ledger knows nothing: only the broker remembers that others began."""
    dead: "Owner | None" = None
    """The owner that this claimant found dead."""
    patient: bool = False
    """The store was away just now: owners get time to renew what ended meanwhile."""
    forgiving: bool = False
    """The store was away lately: an owner that did not renew is not counted as vanished."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a request in hand; equal only while they have not renewed."""

    channel: str
    fence: int
    lease_ends_ms: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who says that they have a request in hand, with all it takes to state the record anew."""

    owner: str
    fence: int
    identity: str
    facts: Facts
    attempts: int
    attempts_before: int
    """Attempts that had begun when this holder claimed the request."""
    void: str
    restates: bool
    """At least one of their two leases is held, so a record that is gone or older may be stated anew."""
    trials: Mapping[int, bytes] = field(default_factory=dict[int, bytes])
