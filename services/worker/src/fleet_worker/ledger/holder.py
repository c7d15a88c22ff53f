"""Pure: what a holder says of itself to the ledger."""

import orjson

from fleet_worker.hold import WORKER_LOST, Hold, Trial
from fleet_worker.ledger.record import Holder

MOST_TRIALS = 30
"""Of a request that is turned away for days, the first and the newest attempts are kept."""


def holder_of(hold: Hold, owner: str, now: float) -> Holder:
    """The holder of `hold` at `now`, in monotonic seconds.

    While an attempt runs, the ledger hears that its text is void: if this is the last word, it was.
    """
    return Holder(
        owner=owner,
        fence=hold.fence,
        identity=hold.identity,
        facts=hold.facts,
        attempts=hold.attempts,
        attempts_before=hold.attempts_before,
        void=WORKER_LOST if hold.attempting else hold.void or "",
        restates=hold.stands(now),
        trials={min(trial.number, MOST_TRIALS): encoded(trial) for trial in hold.trials},
    )


def encoded(trial: Trial) -> bytes:
    """An attempt as the ledger keeps it."""
    return orjson.dumps(trial)


def decoded(trial: bytes) -> Trial:
    """An attempt as the ledger gives it back."""
    return Trial(**orjson.loads(trial))
