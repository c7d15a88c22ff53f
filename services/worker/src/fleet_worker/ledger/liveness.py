"""Tells a dead owner from a busy or a disconnected one, and asks one that lives whether it is busy at all."""

import asyncio

from fleet_chassis.clock import Clock
from fleet_worker.ledger.answers import Busy
from fleet_worker.ledger.notices import passes
from fleet_worker.ledger.record import Owner
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.times import PROBE_S
from fleet_worker.request import RequestKey

SHORTEST_S = 0.1
"""A lease that has ended is not always given away at once: owners get time to renew after trouble."""


class Liveness:
    """Watches whoever has a request in hand."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def watch(self, key: RequestKey, busy: Busy, freed: asyncio.Event) -> Owner | None:
        """Wait until claiming again is worth it: we are told, the lease is over, or the owner is dead.

        An owner is dead when two looks a second apart find no listener on its channel, provided that it did
        not renew between them, which the claim that names it checks. One that lives is told by each look that
        somebody waits, and gives back what it does not have in hand.

        Raises:
            StoreUnavailableError: no answer.
        """
        ends_at = self._clock.monotonic() + busy.left_ms / 1000
        silent = False
        while True:
            was_silent, silent = silent, not await self._records.want(key, busy.owner.channel)
            if silent and was_silent:
                return busy.owner
            left_s = ends_at - self._clock.monotonic()
            if await passes(freed, min(PROBE_S, max(left_s, SHORTEST_S))) or left_s <= PROBE_S:
                return None
