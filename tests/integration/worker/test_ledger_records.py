"""The ledger's steps, in the memory of one process and in a real store: one suite for both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest

from fleet_chassis.store import open_store
from fleet_worker.hold import Facts
from fleet_worker.ledger.answers import (
    Busy,
    Claimed,
    Differs,
    Ended,
    Marked,
    Standing,
    Stored,
    Superseded,
    Taken,
    TakenToEnd,
)
from fleet_worker.ledger.memory import MemoryRecords
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import LARGE_BYTES, MOST_VANISHED, Times
from fleet_worker.request import key_text
from harness.clock import LateClock
from harness.ledgers import FACTS, a_claimant, a_head, a_holder
from harness.waiting import until

pytestmark = pytest.mark.sockets

KEY = ("acme", "c {1} \n~é", 0)


@dataclass
class Place:
    """Records somewhere, what was told to the channel of worker a, and the end of all leases."""

    new: Callable[[Times], Records]
    heard: list[bytes]
    end_leases: Callable[[], Awaitable[None]]

    @property
    def records(self) -> Records:
        return self.new(Times())


@pytest.fixture(params=["memory", "store"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    heard: list[bytes] = []
    clock = LateClock()
    if request.param == "memory":
        kept: list[MemoryRecords] = []

        def in_memory(times: Times) -> Records:
            kept.append(MemoryRecords(times, clock, heard.append))
            return kept[-1]

        async def much_later() -> None:
            clock.ahead_s += Times().lease_s

        yield Place(in_memory, heard, much_later)
        return
    async with AsyncExitStack() as ends:
        url = await request.getfixturevalue("store").fresh_database()
        store = await ends.enter_async_context(open_store(url, timeout_s=5, clock=clock))
        await store.listen("a", heard.append)

        async def as_if_much_later() -> None:
            for record in await store.command("KEYS", "test:request:*"):
                await store.command("HSET", record, "lease", 1)

        yield Place(lambda times: StoreRecords(store, "test", times), heard, as_if_much_later)


async def taken(claim: Awaitable[Claimed]) -> Taken:
    answer = await claim
    assert isinstance(answer, Taken)
    return answer


async def busy(claim: Awaitable[Claimed]) -> Busy:
    answer = await claim
    assert isinstance(answer, Busy)
    return answer


async def after_a_death(records: Records, owner: str) -> Taken:
    """The claim of an owner that found the last one dead."""
    seen = await busy(records.claim(KEY, a_claimant(owner)))
    return await taken(records.claim(KEY, a_claimant(owner, dead=seen.owner)))


async def test_the_first_claim_is_granted_and_another_workers_finds_it_busy(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    assert (first.attempts, first.void, first.vanished, first.cancelled) == (0, "", 0, False)
    second = await busy(records.claim(KEY, a_claimant("b")))
    assert (second.owner.channel, second.owner.fence) == ("a", first.fence)
    assert 10_000 < second.left_ms <= 15_000


async def test_a_claim_asked_twice_by_the_same_worker_is_one_claim(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    again = await taken(records.claim(KEY, a_claimant()))
    assert again.fence == first.fence
    assert not again.superseded


async def test_another_body_is_a_conflict_before_and_after_the_end(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    other = a_claimant("b", identity="chat.v1:other")
    assert await records.claim(KEY, other) == Differs()
    await records.commit(KEY, a_holder(first), a_head(), b"{}")
    assert await records.claim(KEY, other) == Differs()


async def test_the_terminal_reply_comes_back_as_the_same_bytes(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    body = bytes(range(256)) * 3
    assert await records.commit(KEY, a_holder(first), a_head(), body) == Stored()
    assert await records.claim(KEY, a_claimant("b")) == Ended(a_head(), body)


async def test_a_commit_asked_twice_is_one_and_another_one_learns_of_it(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    assert await records.commit(KEY, a_holder(first), a_head(), b"1") == Stored()
    assert await records.commit(KEY, a_holder(first), a_head(), b"1") == Stored()
    assert await records.commit(KEY, a_holder(first), a_head("two"), b"2") == Ended(a_head(), b"1")


async def test_an_owner_whose_lease_ended_is_superseded_and_its_commit_refused(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await busy(records.claim(KEY, a_claimant("b")))
    await place.end_leases()
    second = await taken(records.claim(KEY, a_claimant("b")))
    assert second.fence > first.fence
    assert (second.superseded, second.vanished) == (True, 0)
    assert await records.keep(KEY, a_holder(first)) is Standing.LOST
    assert await records.commit(KEY, a_holder(first), a_head(), b"1") == Superseded()
    assert await records.commit(KEY, a_holder(second, "b"), a_head("two"), b"2") == Stored()
    assert await records.commit(KEY, a_holder(first), a_head(), b"1") == Ended(a_head("two"), b"2")


async def test_a_lease_that_ended_is_renewed_where_nobody_took_it(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await place.end_leases()
    assert await records.keep(KEY, a_holder(first)) is Standing.HELD
    await busy(records.claim(KEY, a_claimant("b")))


async def test_an_owner_found_dead_is_superseded_unless_it_has_renewed(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    seen = await busy(records.claim(KEY, a_claimant("b")))
    await asyncio.sleep(0.01)  # a renewal in the same millisecond leaves the lease as it was
    await records.keep(KEY, a_holder(first, attempts=1))
    again = await busy(records.claim(KEY, a_claimant("b", dead=seen.owner)))
    assert again.owner != seen.owner
    second = await taken(records.claim(KEY, a_claimant("b", dead=again.owner)))
    assert (second.superseded, second.vanished) == (True, 1)


async def test_after_trouble_owners_get_time_and_are_not_counted(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await records.keep(KEY, a_holder(first, attempts=1))
    await place.end_leases()
    assert (await busy(records.claim(KEY, a_claimant("b", patient=True)))).left_ms == 0
    second = await taken(records.claim(KEY, a_claimant("b", forgiving=True)))
    assert (second.superseded, second.vanished) == (True, 0)


async def test_owners_that_die_while_the_request_waits_for_its_permit_never_quarantine_it(place: Place):
    records = place.records
    owner = await taken(records.claim(KEY, a_claimant("w0")))
    for number in range(2 * MOST_VANISHED):
        await records.keep(KEY, a_holder(owner, f"w{number}"))
        owner = await after_a_death(records, f"w{number + 1}")
        assert (owner.superseded, owner.attempts, owner.vanished) == (True, 0, 0)


async def test_three_owners_that_die_after_an_attempt_began_are_all_counted(place: Place):
    records = place.records
    owner = await taken(records.claim(KEY, a_claimant("w0")))
    for number in range(MOST_VANISHED):
        await records.keep(KEY, a_holder(owner, f"w{number}", attempts=number + 1))
        owner = await after_a_death(records, f"w{number + 1}")
        assert (owner.attempts, owner.vanished) == (number + 1, number + 1)
    assert owner.vanished == MOST_VANISHED


async def test_an_owner_that_began_nothing_is_not_counted_for_the_attempts_of_others(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant("w0")))
    await records.keep(KEY, a_holder(first, "w0", attempts=1))
    second = await after_a_death(records, "w1")
    assert await taken(records.claim(KEY, a_claimant("w1"))) == replace(second, superseded=False)
    await records.keep(KEY, a_holder(second, "w1"))
    third = await after_a_death(records, "w2")
    assert (third.attempts, third.vanished) == (1, 1)
    await records.release(KEY, a_holder(third, "w2", attempts=2))
    await taken(records.claim(KEY, a_claimant("w3")))
    assert (await after_a_death(records, "w4")).vanished == 1


async def test_a_claim_asked_again_after_an_attempt_began_still_counts_its_owner(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await records.keep(KEY, a_holder(first, attempts=1))
    await taken(records.claim(KEY, a_claimant()))
    assert (await after_a_death(records, "b")).vanished == 1


async def test_a_canceller_that_dies_is_not_counted_for_the_attempts_of_others(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await records.release(KEY, a_holder(first, attempts=1))
    assert isinstance(await records.cancel(KEY, "b"), TakenToEnd)
    assert (await after_a_death(records, "c")).vanished == 0


@pytest.mark.parametrize(("began", "vanished"), [(0, 0), (1, 1)])
async def test_an_owner_that_states_a_forgotten_record_anew_is_counted_if_it_began_an_attempt(
    place: Place, began: int, vanished: int
):
    elsewhere = await taken(place.records.claim(("acme", "elsewhere", 0), a_claimant(attempts=2)))
    records = place.records
    stated = a_holder(elsewhere, attempts=2 + began, attempts_before=2)
    assert await records.keep(KEY, stated) is Standing.HELD
    assert (await after_a_death(records, "b")).vanished == vanished


async def test_a_release_gives_it_back_at_once_with_what_was_sent_and_begun(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await records.keep(KEY, a_holder(first, attempts=1, void="worker_lost"))
    assert (
        await records.release(KEY, a_holder(first, attempts=1, void="upstream_interrupted")) is Standing.HELD
    )
    second = await taken(records.claim(KEY, a_claimant("b")))
    assert (second.attempts, second.void, second.vanished) == (1, "upstream_interrupted", 0)
    assert second.fence > first.fence
    assert await records.release(KEY, a_holder(first)) is Standing.LOST


async def test_who_waits_is_told_of_a_release_and_of_the_end(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant("b")))
    await busy(records.claim(KEY, a_claimant("a")))
    await records.release(KEY, a_holder(first, "b"))
    told = f"free acme/{KEY[1]}~0".encode()
    await until(lambda: place.heard == [told])
    second = await taken(records.claim(KEY, a_claimant("b")))
    await busy(records.claim(KEY, a_claimant("a")))
    await records.commit(KEY, a_holder(second, "b"), a_head(), b"{}")
    await until(lambda: place.heard == [told, told])


async def test_attempts_never_go_back(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await records.keep(KEY, a_holder(first, attempts=2))
    await records.keep(KEY, a_holder(first, attempts=1))
    await records.release(KEY, a_holder(first, attempts=1))
    assert (await taken(records.claim(KEY, a_claimant("b")))).attempts == 2


async def test_only_who_is_sure_states_a_forgotten_record_anew(place: Place):
    first = await taken(place.records.claim(("acme", "elsewhere", 0), a_claimant()))
    records = place.records
    unsure = a_holder(first, restates=False)
    assert await records.keep(KEY, unsure) is Standing.LOST
    assert await records.commit(KEY, unsure, a_head(), b"1") == Superseded()
    assert await records.keep(KEY, a_holder(first, attempts=1)) is Standing.HELD
    seen = await busy(records.claim(KEY, a_claimant("b")))
    assert (seen.owner.channel, seen.owner.fence) == ("a", first.fence)
    assert await records.commit(KEY, a_holder(first), a_head(), b"1") == Stored()


async def test_a_commit_on_a_forgotten_record_counts_while_one_lease_is_held(place: Place):
    first = await taken(place.records.claim(("acme", "elsewhere", 0), a_claimant()))
    records = place.records
    assert await records.commit(KEY, a_holder(first), a_head(), b"1") == Stored()
    assert await records.claim(KEY, a_claimant("b")) == Ended(a_head(), b"1")


async def test_after_a_flush_a_new_claim_is_above_every_old_one(place: Place):
    old = await taken(place.records.claim(("acme", "elsewhere", 0), a_claimant()))
    records = place.records
    await asyncio.sleep(0.01)  # fences are milliseconds where nothing is known
    new = await taken(records.claim(KEY, a_claimant("b")))
    assert new.fence > old.fence
    assert await records.keep(KEY, a_holder(old)) is Standing.LOST


async def test_a_cancel_of_what_is_in_hand_is_told_to_its_owner_and_found_at_its_renewal(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    assert await records.cancel(KEY, "b") is Marked.RUNNING
    await until(lambda: place.heard == [f"cancel acme/{KEY[1]}~0".encode()])
    assert await records.keep(KEY, a_holder(first)) is Standing.CANCELLED
    await records.release(KEY, a_holder(first))
    assert (await taken(records.claim(KEY, a_claimant("b")))).cancelled


async def test_a_cancel_that_comes_first_waits_for_its_request(place: Place):
    records = place.records
    assert await records.cancel(KEY, "b") is Marked.UNKNOWN
    assert (await taken(records.claim(KEY, a_claimant()))).cancelled


async def test_a_cancel_of_what_nobody_has_takes_it_with_where_to_answer(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    await records.release(KEY, a_holder(first, attempts=1))
    answer = await records.cancel(KEY, "b")
    assert isinstance(answer, TakenToEnd)
    assert (answer.identity, answer.facts, answer.attempts) == ("chat.v1:d", FACTS, 1)
    late = a_holder(Taken(answer.fence), "b")
    assert await records.commit(KEY, late, a_head(), b"cancelled") == Stored()
    assert await records.cancel(KEY, "b") is Marked.ENDED


async def test_a_claim_that_its_owner_does_not_have_in_hand_is_given_back_and_who_waits_is_told(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant("b")))
    await records.keep(KEY, a_holder(first, "b", attempts=1, void="worker_lost"))
    seen = await busy(records.claim(KEY, a_claimant()))
    assert await records.disown(KEY, seen.owner) is Standing.HELD
    await until(lambda: place.heard == [b"free " + key_text(KEY).encode()])
    after = await taken(records.claim(KEY, a_claimant()))
    assert (after.attempts, after.void, after.vanished) == (1, "worker_lost", 0)
    assert after.fence > first.fence


async def test_nothing_is_given_back_that_was_claimed_or_kept_anew_or_has_ended(place: Place):
    records = place.records
    first = await taken(records.claim(KEY, a_claimant()))
    seen = await busy(records.claim(KEY, a_claimant("b")))
    await asyncio.sleep(0.005)
    await records.claim(KEY, a_claimant())
    assert await records.disown(KEY, seen.owner) is Standing.LOST
    seen = await busy(records.claim(KEY, a_claimant("b")))
    await asyncio.sleep(0.005)
    await records.keep(KEY, a_holder(first))
    assert await records.disown(KEY, seen.owner) is Standing.LOST
    assert await records.commit(KEY, a_holder(first), a_head(), b"{}") == Stored()
    assert await records.disown(KEY, seen.owner) is Standing.ENDED


async def test_a_body_may_be_gone_before_the_end_is_forgotten(place: Place):
    records = place.new(Times(bodies_s=0.05))
    first = await taken(records.claim(KEY, a_claimant()))
    await records.commit(KEY, a_holder(first), a_head(), b"{}")
    await asyncio.sleep(0.1)
    assert await records.claim(KEY, a_claimant("b")) == Ended(a_head(), None)
    assert Times().body_kept_s(LARGE_BYTES + 1) < Times().body_kept_s(LARGE_BYTES)


async def test_what_is_known_can_be_looked_at(place: Place):
    records = place.records
    assert await records.look(KEY) is None
    facts = Facts(None, "m", FACTS.lane, stream=False)
    first = await taken(records.claim(KEY, a_claimant(facts=facts)))
    holder = a_holder(first, facts=facts, attempts=1, void="worker_lost", trials={1: b"one"})
    await records.keep(KEY, holder)
    seen = await records.look(KEY)
    assert seen is not None
    assert (seen.owner, seen.attempts, seen.void, seen.facts) == ("a", 1, "worker_lost", facts)
    assert dict(seen.trials) == {1: b"one"}
    await records.commit(KEY, holder, a_head(), b"{}")
    seen = await records.look(KEY)
    assert seen is not None
    assert (seen.ended, seen.body, seen.owner) == (a_head(), b"{}", "")
