"""Pure: how long the ledger counts on somebody, and how long it remembers. Each has its reason."""

from dataclasses import dataclass

DAY_S = 24 * 60 * 60.0

LEASE_S = 15.0
"""A claim without a word for so long is free: three renewals may fail, and a stopped worker is told apart."""
RENEW_S = 5.0
"""A third of the lease; the claims of a worker are renewed in batches, so it costs next to nothing."""
PROBE_S = 1.0
"""Between two looks at whether an owner still listens: a subscription that is made anew takes 0.2 s."""
HOLD_S = 10.0
"""How long a delivery waits for another worker's call, or for the store: beyond, it is parked."""
GRACE_S = 5.0
"""After the store was away, owners get one renewal's time before anybody is declared dead."""
FORGIVE_S = LEASE_S + GRACE_S
"""After the store was away, owners whose leases ended meanwhile are not counted as vanished."""
COMMIT_PATIENCE_S = 600.0
"""How long after its deadline a terminal reply waits in memory for a store that is away."""
MOST_VANISHED = 3
"""A request whose owners vanished so often, each after it began an attempt, takes workers down with it."""
LARGE_BYTES = 256 * 1024
LARGE_KEPT_S = 60 * 60.0
"""A large body is kept for an hour: the few large ones would take most of the store's memory."""


@dataclass(frozen=True, slots=True)
class Times:
    """What operators may choose, in seconds."""

    lease_s: float = LEASE_S
    kept_s: float = DAY_S
    """How long it is remembered that a request ended, with the digest of its terminal reply."""
    bodies_s: float = DAY_S
    """How long a terminal reply's body is kept to be sent again."""

    @property
    def lease_ms(self) -> int:
        """The lease in milliseconds."""
        return round(self.lease_s * 1000)

    def body_kept_s(self, size: int) -> float:
        """How long a body of `size` bytes is kept."""
        longest = LARGE_KEPT_S if size > LARGE_BYTES else self.bodies_s
        return min(longest, self.kept_s, self.bodies_s)
