"""Pure: the protocol of the ledger, step by step, as functions from a record to the next one.

The memory ledger runs these; the scripts of the shared store say the same in Lua, and are tested against
them; the explorer of the tests runs them in every order that workers, crashes and lost leases can bring.
"""

from dataclasses import replace

from fleet_worker.hold import WORKER_LOST
from fleet_worker.ledger.answers import (
    Busy,
    CancelAnswer,
    Claimed,
    Committed,
    Differs,
    Ended,
    Marked,
    Standing,
    Stored,
    Superseded,
    Taken,
    TakenToEnd,
)
from fleet_worker.ledger.record import Claimant, Head, Holder, Owner, Record

MOST_WAITING = 16
"""More who wait for one request are not told; they come back by themselves."""


def claim(record: Record, claimant: Claimant, now_ms: int, lease_ms: int) -> tuple[Record, Claimed]:
    """Take the request in hand if nobody has it, or if whoever had it is gone.

    An owner that is gone counts as vanished only if it had begun an attempt: one that waited for its permit
    says nothing about the request. What kills a worker between the claim and its first attempt is therefore
    not counted here, and ends by the limit on how often a message is delivered.
    """
    if record.identity not in {"", claimant.identity}:
        return record, Differs()
    if record.ended is not None:
        return record, Ended(record.ended, record.body)
    superseded = bool(record.owner) and record.owner != claimant.owner
    if superseded:
        owner = owner_of(record)
        if not _gone(owner, claimant, now_ms):
            return _told(record, claimant.owner), Busy(owner, max(0, record.lease_ends_ms - now_ms))
        if record.attempts > record.attempts_before and not claimant.forgiving:
            record = replace(record, vanished=record.vanished + 1)
    mine = record.owner == claimant.owner
    attempts = record.attempts if record.identity else claimant.attempts
    taken = replace(
        record,
        identity=claimant.identity,
        facts=claimant.facts,
        owner=claimant.owner,
        # Above every fence that was given before the record was lost, for time only goes on.
        fence=record.fence if mine else max(record.fence + 1, now_ms),
        lease_ends_ms=now_ms + lease_ms,
        attempts=attempts,
        attempts_before=record.attempts_before if mine else attempts,
        void=record.void if record.identity or not claimant.attempts else WORKER_LOST,
    )
    answer = Taken(taken.fence, taken.attempts, taken.void, taken.vanished, taken.cancelled, superseded)
    return taken, answer


def keep(record: Record, holder: Holder, now_ms: int, lease_ms: int) -> tuple[Record, Standing]:
    """Renew a claim, and state what has changed: how many attempts began, what became of the text."""
    standing = _standing(record, holder)
    if standing is not Standing.HELD:
        return record, standing
    kept = replace(_stated(record, holder), lease_ends_ms=now_ms + lease_ms)
    return kept, Standing.CANCELLED if record.cancelled else Standing.HELD


def commit(record: Record, holder: Holder, head: Head, body: bytes) -> tuple[Record, Committed]:
    """Store the terminal reply, if this holder still has the request; a repeated commit changes nothing."""
    standing = _standing(record, holder)
    if record.ended is not None:
        same = record.ended.digest == head.digest
        return record, Stored() if same else Ended(record.ended, record.body)
    if standing is Standing.LOST:
        return record, Superseded()
    stated = _stated(record, holder)
    ended = replace(stated, owner="", lease_ends_ms=0, waiting=frozenset(), ended=head, body=body)
    return ended, Stored()


def release(record: Record, holder: Holder) -> tuple[Record, Standing]:
    """Give the request back without an end; the owner did not vanish."""
    standing = _standing(record, holder)
    if standing is not Standing.HELD:
        return record, standing
    return replace(_stated(record, holder), owner="", lease_ends_ms=0, waiting=frozenset()), standing


def disown(record: Record, seen: Owner) -> tuple[Record, Standing]:
    """Give back what its owner does not have in hand, unless it was claimed or renewed since."""
    if record.ended is not None:
        return record, Standing.ENDED
    if not record.owner or owner_of(record) != seen:
        return record, Standing.LOST
    return replace(record, owner="", lease_ends_ms=0, waiting=frozenset()), Standing.HELD


def cancel(record: Record, owner: str, now_ms: int, lease_ms: int) -> tuple[Record, CancelAnswer]:
    """Mark the request as cancelled; where nobody has it in hand, take it, to end it."""
    if record.ended is not None:
        return record, Marked.ENDED
    marked = replace(record, cancelled=True)
    if record.facts is None:
        return marked, Marked.UNKNOWN
    if record.owner and record.lease_ends_ms > now_ms and record.owner != owner:
        return marked, Marked.RUNNING
    mine = record.owner == owner
    taken = replace(
        marked,
        owner=owner,
        fence=record.fence if mine else max(record.fence + 1, now_ms),
        lease_ends_ms=now_ms + lease_ms,
        attempts_before=record.attempts_before if mine else record.attempts,
    )
    return taken, TakenToEnd(taken.fence, record.identity, record.facts, record.attempts, record.void)


def owner_of(record: Record) -> Owner:
    """Who has the request in hand."""
    return Owner(record.owner, record.fence, record.lease_ends_ms)


def _gone(owner: Owner, claimant: Claimant, now_ms: int) -> bool:
    if claimant.patient:
        return False
    return owner.lease_ends_ms <= now_ms or owner == claimant.dead


def _told(record: Record, channel: str) -> Record:
    if len(record.waiting) >= MOST_WAITING:
        return record
    return replace(record, waiting=record.waiting | {channel})


def _standing(record: Record, holder: Holder) -> Standing:
    if record.ended is not None:
        return Standing.ENDED
    if (record.owner, record.fence) == (holder.owner, holder.fence):
        return Standing.HELD
    # A store that forgot, or went back to an older state, is told again by whoever is sure of the request.
    return Standing.HELD if holder.restates and record.fence < holder.fence else Standing.LOST


def _stated(record: Record, holder: Holder) -> Record:
    return replace(
        record,
        identity=holder.identity,
        facts=holder.facts,
        owner=holder.owner,
        fence=holder.fence,
        attempts=max(record.attempts, holder.attempts),
        attempts_before=holder.attempts_before,
        void=holder.void,
        trials={**record.trials, **holder.trials},
    )
