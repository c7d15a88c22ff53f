"""What the chaos run counts in a store is what ledger and limiter really keep there."""

import pytest

from chaos.leftovers import NAMES, store_counts
from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_worker.ledger.answers import Taken
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import Times
from fleet_worker.limiter.rules import Rules
from fleet_worker.limiter.store_book import StoreBook
from fleet_worker.limiter.terms import Granted, Settlement, Waits
from harness.ledgers import a_claimant, a_head, a_holder
from harness.limiters import POOL, Heard, an_ask
from harness.until_told import until_told

pytestmark = pytest.mark.sockets

PATIENCE_S = 30.0
NOTHING = dict.fromkeys(NAMES, 0)
CLAIMS, UNENDED, WAITING, PERMITS, TICKETS, OWNERS = NAMES


async def test_an_empty_store_holds_nothing(store_url: str):
    assert await store_counts(store_url) == NOTHING


async def test_a_claim_and_who_waits_for_it_are_counted_until_the_request_ends(store_url: str):
    async with open_store(store_url, PATIENCE_S, SystemClock()) as store:
        records, key = StoreRecords(store, "fleet", Times()), ("acme", "c-1", 0)
        taken = await records.claim(key, a_claimant("fleet:worker:a"))
        assert isinstance(taken, Taken)
        await records.claim(key, a_claimant("fleet:worker:b"))
        assert await store_counts(store_url) == NOTHING | {CLAIMS: 1, UNENDED: 1, WAITING: 1}
        await records.commit(key, a_holder(taken, "fleet:worker:a"), a_head(), b"{}")
        assert await store_counts(store_url) == NOTHING


async def test_a_request_that_was_given_back_and_not_ended_is_counted(store_url: str):
    async with open_store(store_url, PATIENCE_S, SystemClock()) as store:
        records, key = StoreRecords(store, "fleet", Times()), ("acme", "c-1", 0)
        taken = await records.claim(key, a_claimant())
        assert isinstance(taken, Taken)
        await records.release(key, a_holder(taken))
        assert await store_counts(store_url) == NOTHING | {UNENDED: 1}


async def test_permits_tickets_and_dead_owners_are_counted_until_they_are_given_back(store_url: str):
    rules = Rules(concurrency=1, start=1, grace_s=0)
    async with open_store(store_url, PATIENCE_S, SystemClock()) as store:
        book = StoreBook(store, "fleet", "w1", rules, SystemClock())
        await book.open(Heard())
        first, second = an_ask(1), an_ask(2)
        await book.beat(POOL, [], [])
        assert isinstance(await book.acquire(first), Granted)
        assert isinstance(await book.acquire(second), Waits)
        assert await store_counts(store_url) == NOTHING | {PERMITS: 1, TICKETS: 1}
        await book.leave(second)
        await book.release(first, Settlement())
        assert await store_counts(store_url) == NOTHING

    async def counted_dead() -> bool | None:
        return await store_counts(store_url) == NOTHING | {OWNERS: 1} or None

    # Its connection is closed: the store soon knows that nobody listens on this worker's channel any more.
    assert await until_told(counted_dead, deadline_s=PATIENCE_S)
