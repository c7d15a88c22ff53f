"""The limiter's values: what is asked for, what is answered, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from fleet_contracts.grammar import Lane


@dataclass(frozen=True, slots=True)
class Ask:
    """One wish for a permit. Whoever asks again for the same `id` asks for the same permit."""

    id: str
    pool: str
    """`<account>/<model>`: what the provider limits."""
    tenant: str
    lane: Lane
    tokens: int
    """Reserved in the tokens per minute, and what fairness counts until the real use is known."""
    worst: int = 0
    """The most that the call can cost, in nano-dollars."""


class Ended(StrEnum):
    """How a call ended, as far as limits can learn from it."""

    ANSWERED = "answered"
    FULL = "full"
    """Refused for too many calls at once."""
    RATED = "rated"
    """Refused for too many requests or tokens in a time: says nothing about calls at once."""
    BUSY = "busy"
    """The provider is overloaded."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Used:
    """What a call used, for reports."""

    tenant: str
    model: str
    input: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What came of a permit."""

    ended: Ended = Ended.OTHER
    tokens: int | None = None
    """Tokens that count; None where nobody knows: then the estimate stays."""
    spent: int | None = None
    """Nano-dollars; None where nobody knows: then the worst case stays."""
    told: int = 0
    """The limit that a refusal named; 0 where it named none."""
    cool_ms: int = 0
    """For how long nobody calls."""
    pause_ms: int = 0
    """For how long nobody calls if the provider is overloaded more than now and then."""
    used: Used | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What every answer of a book carries."""

    next_ms: int = -1
    """When this worker should look again, in ms; negative where somebody else does or nobody needs to."""
    quiet_ms: int = 0
    """How long nothing is granted yet, because the store does not know what is running."""


@dataclass(frozen=True, slots=True)
class Granted(Said):
    """The permit is held."""


@dataclass(frozen=True, slots=True)
class Waits(Said):
    """The wish waits in line; its grant will be told."""

    place: "Place" = field(default_factory=lambda: Place(0))


@dataclass(frozen=True, slots=True)
class Refused(Said):
    """The tenant's money does not reach, and what is reserved can't change that."""

    period: str = "day"
    spent: int = 0
    limit: int = 0
    resets_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody waits."""

    ahead: int
    """How many of the same tenant, lane and pool are before it."""
    slots: int = 1
    took_ms: float = 0
    """How long calls of this pool take, on average; 0 where unknown."""
    flows: int = 1
    """How many tenants wait in this pool."""

    def estimate_s(self) -> float | None:
        """About how long the wait will be, in seconds: every tenant that waits gets its turn alike."""
        if not self.took_ms:
            return None
        return (self.ahead + 1) * max(1, self.flows) * self.took_ms / max(1, self.slots) / 1000


@dataclass(frozen=True, slots=True)
class Beaten(Said):
    """The answer to a worker that stated what it has."""

    unheard: tuple[str, ...] = ()
    """Granted, but the message was lost."""
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    limit: int = 0
    in_flight: int = 0
    spare: int = 0
    """Calls that this worker may have at once while the store is away."""
    waiting: int = 0
    lost: tuple[str, ...] = ()
    """Permits that were taken away from this worker, and are not given back to it."""
    forsaken: tuple[str, ...] = ()
    """Pools with calls in flight in which nobody beats."""
    again: bool = False
    """The book has just learned that its store forgot: everything should be stated once more."""


@dataclass(frozen=True, slots=True)
class Held:
    """A permit that a worker holds, as it states it."""

    ask: Ask
    age_ms: int


class Listener(Protocol):
    """Is told by a book what happens to this worker's wishes."""

    def granted(self, ask_id: str) -> None:
        """A wish that waited has its permit."""
        ...

    def refused(self, ask_id: str) -> None:
        """A wish that waited can't be granted any more; asking again says why."""
        ...

    def called(self, pool: str = "") -> None:
        """Somebody wants to know what this worker has, in one pool or at all: it should beat now."""
        ...


class Book(Protocol):
    """Where permits are written down: the store that the fleet shares, or the memory of one process.

    Every method may be asked twice with the same arguments; the second time changes nothing.

    Raises:
        StoreUnavailableError: it may or may not have happened.
    """

    @property
    def beat_s(self) -> float | None:
        """Seconds between two beats; None where nobody would miss them."""
        ...

    async def open(self, listener: Listener) -> None:
        """Begin to tell `listener`."""
        ...

    async def acquire(self, ask: Ask) -> Granted | Waits | Refused:
        """Take every limit's share of one call together, or wait in line with none of it."""
        ...

    async def release(self, ask: Ask, settlement: Settlement) -> Said:
        """Give a permit back, correct what was reserved, and learn."""
        ...

    async def leave(self, ask: Ask) -> Said:
        """Wait no more, or decline what was granted too late."""
        ...

    async def teach(self, pool: str, expected: int) -> Said:
        """Lower a pool's limit to what the provider is expected to let run; it is tried again later."""
        ...

    async def look(self, pool: str) -> Said:
        """Grant what time has made free."""
        ...

    async def beat(
        self,
        pool: str,
        held: list[Held],
        waiting: list[Ask],
        ending: Sequence[str] = (),
        *,
        last: bool = True,
    ) -> Beaten:
        """State everything this worker has in a pool: whatever else the book has of it there is dropped.

        Args:
            pool: where.
            held: permits with calls in flight.
            waiting: wishes.
            ending: ids of permits that it is giving back; they are left as they are.
            last: after this one everything has been stated, in every pool.
        """
        ...
