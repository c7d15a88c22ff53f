"""Follows outcomes, each acknowledged when its reader is done with it."""

from collections import OrderedDict
from collections.abc import AsyncGenerator

from fleet_client.following import Follower
from fleet_client.outcome import Outcome, outcome_from

_REMEMBERED = 10_000


async def outcomes(follower: Follower) -> AsyncGenerator[Outcome]:
    """Yield what an open follower brings, for as long as it is open.

    An outcome is acknowledged when the reader asks for the next one. A reader that breaks off, or whose
    process ends, gets the one it had not finished again.

    Raises:
        FleetError: the follower was ended.
    """
    done = _Done()
    while True:
        delivery = await follower.arrivals.next()
        outcome = outcome_from(delivery)
        if outcome is not None and not done.has(outcome):
            yield outcome
            done.add(outcome)
        await delivery.ack()


class _Done:
    """The outcomes that were finished last: a lost acknowledgement brings them once more."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()

    def has(self, outcome: Outcome) -> bool:
        return (outcome.tenant, outcome.fleet_id) in self._keys

    def add(self, outcome: Outcome) -> None:
        self._keys[outcome.tenant, outcome.fleet_id] = None
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)
