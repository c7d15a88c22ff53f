"""A real store that stands still, and then carries out what nobody waits for any more."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from fleet_chassis.clock import SystemClock
from fleet_chassis.logging import get_log
from fleet_chassis.store import open_store
from fleet_chassis.tasks import owned
from fleet_cli.stack.store.store import Store
from fleet_worker.hold import DeliveryLease, LostError
from fleet_worker.ledger.building import Built, Foundation, build_ledger
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import HOLD_S, Times
from fleet_worker.ports import Granted
from fleet_worker.postponed import PostponedError
from fleet_worker.shared_store import SharedStore
from harness.ledgers import an_observer
from harness.requests import a_request

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(120)]

LOG = get_log("tests")
KEY = a_request().key


@asynccontextmanager
async def a_worker(url: str, name: str, hold_s: float) -> AsyncGenerator[Built]:
    """The ledger of one worker, with all that is kept running beside it."""
    clock = SystemClock()
    async with open_store(url, 2.0, clock) as opened:
        store = SharedStore(opened, "fleet", clock, CollectorRegistry(), LOG)
        foundation = Foundation(
            owner=name,
            worker=name,
            times=Times(),
            clock=clock,
            observer=an_observer(),
            trust=store,
            hold_s=hold_s,
        )
        built = build_ledger(foundation, lambda _: StoreRecords(store, "fleet", foundation.times))
        await store.listen(name, built.holds.hear)
        async with (
            owned(store.watch(), LOG),
            owned(built.renewing.run(), LOG),
            owned(built.disowning.run(), LOG),
        ):
            yield built


async def test_a_claim_that_the_store_carries_out_too_late_keeps_nobody_waiting(own_store: Store):
    async with (
        a_worker(own_store.url, "a", hold_s=3) as a,
        a_worker(own_store.url, "b", hold_s=HOLD_S) as b,
        open_store(own_store.url, 30, SystemClock()) as looking,
    ):
        records = StoreRecords(looking, "fleet", Times())
        # The store carries out only what it knows: until a first claim, it does not have the script.
        await a.ledger.claim(a_request(correlation_id="c-0"), DeliveryLease())
        await own_store.pause()
        # The second one where this process stood still until both waits were over.
        with pytest.raises((LostError, PostponedError)):
            await a.ledger.claim(a_request(), DeliveryLease())
        await own_store.resume()

        async def owner() -> str:
            record = await records.look(KEY)
            return record.owner if record else ""

        async with asyncio.timeout(30):
            while await owner() != "a":  # noqa: ASYNC110 - nobody tells what the store carried out
                await asyncio.sleep(0.05)
        assert a.holds.get(KEY) is None
        # Before its lease ends, and without a wait that would have it parked.
        claim = await b.ledger.claim(a_request(), DeliveryLease())
        assert isinstance(claim, Granted)
        record = await records.look(KEY)
        assert record is not None
        assert (record.owner, record.vanished) == ("b", 0)
