"""Follows outcomes, each acknowledged when its reader is done with it."""

from collections.abc import AsyncGenerator

from fleet_client.following import Follower, Seen
from fleet_client.outcome import Outcome, outcome_from


async def outcomes(follower: Follower) -> AsyncGenerator[Outcome]:
    """Yield what an open follower brings, for as long as it is open.

    An outcome is acknowledged when the reader asks for the next one. A reader that breaks off, or whose
    process ends, gets the one it had not finished again.

    Raises:
        FleetError: the follower was ended.
    """
    seen = Seen()
    while True:
        delivery = await follower.arrivals.next()
        if delivery is None:
            continue
        outcome = outcome_from(delivery)
        if outcome is not None and not seen.has(outcome.tenant, outcome.fleet_id):
            yield outcome
            seen.add(outcome.tenant, outcome.fleet_id)
        await delivery.ack()
