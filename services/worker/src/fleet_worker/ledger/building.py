"""Joins the parts of a ledger."""

from collections.abc import Callable
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_worker.ledger.claiming import Claiming
from fleet_worker.ledger.commits import Commits
from fleet_worker.ledger.disowning import Disowning
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.ledger.holds import Holds
from fleet_worker.ledger.liveness import Liveness
from fleet_worker.ledger.memory import MAX_BODY_BYTES, MemoryRecords
from fleet_worker.ledger.notices import Notices
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.questions import Questions
from fleet_worker.ledger.records import Hear, Records
from fleet_worker.ledger.renewing import Renewing
from fleet_worker.ledger.suspects import Suspects
from fleet_worker.ledger.times import HOLD_S, Times
from fleet_worker.ledger.trust import NoStore, Trust

UNSHARED = "unshared"
"""The one owner of a ledger in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What a ledger stands on."""

    owner: str
    """This worker's channel: one of its own for each process."""
    worker: str
    """Its name, for people."""
    times: Times
    clock: Clock
    observer: LedgerObserver
    trust: Trust
    starts_unrecorded: bool = False
    """Whether a call may start while the store is away, where the broker still counts on this worker."""
    hold_s: float = HOLD_S
    """Seconds that a delivery waits for a request in other hands, or for the store."""


@dataclass(frozen=True, slots=True)
class Built:
    """A ledger, and its parts that must be kept running and be told."""

    ledger: FleetLedger
    renewing: Renewing
    disowning: Disowning
    holds: Holds


def build_ledger(foundation: Foundation, records_for: Callable[[Hear], Records]) -> Built:
    """A ledger over the records that `records_for` makes, given who hears what is told to this worker."""
    base = foundation
    notices = Notices()
    suspects = Suspects(base.hold_s)
    holds = Holds(notices, base.observer, suspects)
    records = records_for(holds.hear)
    renewing = Renewing(
        records=records,
        holds=holds,
        owner=base.owner,
        times=base.times,
        clock=base.clock,
        observer=base.observer,
    )
    questions = Questions()
    claiming = Claiming(
        records=records,
        holds=holds,
        questions=questions,
        liveness=Liveness(records, base.clock),
        notices=notices,
        observer=base.observer,
        trust=base.trust,
        times=base.times,
        clock=base.clock,
        owner=base.owner,
        hold_s=base.hold_s,
    )
    disowning = Disowning(
        records=records, holds=holds, observer=base.observer, owner=base.owner, questions=questions
    )
    ledger = FleetLedger(
        records=records,
        holds=holds,
        renewing=renewing,
        claiming=claiming,
        suspects=suspects,
        commits=Commits(records, renewing, base.trust, base.clock, base.observer),
        observer=base.observer,
        times=base.times,
        clock=base.clock,
        owner=base.owner,
        worker=base.worker,
        starts_unrecorded=base.starts_unrecorded,
    )
    return Built(ledger, renewing, disowning, holds)


def build_unshared_ledger(
    worker: str, clock: Clock, observer: LedgerObserver, times: Times, max_body_bytes: int = MAX_BODY_BYTES
) -> FleetLedger:
    """A ledger in the memory of this process; it needs no renewal, for nobody else could take anything."""
    foundation = Foundation(
        owner=UNSHARED, worker=worker, times=times, clock=clock, observer=observer, trust=NoStore()
    )
    return build_ledger(foundation, lambda hear: MemoryRecords(times, clock, hear, max_body_bytes)).ledger
