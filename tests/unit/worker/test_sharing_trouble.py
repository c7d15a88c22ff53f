"""What a ledger does when its store is away, and when owners are gone: with records that tests hold back."""

import asyncio
import math
from collections import Counter
from typing import Any

import pytest

from fleet_chassis.logging import get_log
from fleet_chassis.store import StoreUnavailableError
from fleet_chassis.tasks import owned
from fleet_worker.deadline import Deadline
from fleet_worker.hold import DeliveryLease, Hold, LostError
from fleet_worker.ledger.building import Built, Foundation, build_ledger
from fleet_worker.ledger.claiming import identity_of
from fleet_worker.ledger.holds import MOST_WANTED
from fleet_worker.ledger.memory import MemoryRecords
from fleet_worker.ledger.times import GRACE_S, LEASE_S, RENEW_S, Times
from fleet_worker.ports import Granted
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.request import RequestKey, key_of, key_text
from fleet_worker.terminal import Terminal
from harness.clock import HandClock
from harness.ledgers import a_claimant, an_observer
from harness.requests import a_request
from harness.simulated_time import in_simulated_time
from harness.waiting import until

TERMINAL = Terminal("result", "c-1:final", 1, b"{}")
SILENCE = get_log("tests")


LOOKS_S = 0.1
"""Between two looks at an owner, where they are taken quickly."""


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet_worker.ledger.liveness.PROBE_S", LOOKS_S)


class Store:
    """Memory that several workers share, that can be away, and that knows who listens."""

    def __init__(self, clock: HandClock) -> None:
        self.listeners: dict[str, Any] = {}
        self.troubled_at = -math.inf
        self.forgets = False
        self.asked: Counter[str] = Counter()
        """How often, by step."""
        self._clock = clock
        self._here = asyncio.Event()
        self._here.set()
        self._records = MemoryRecords(Times(), clock, self._tell_all)

    def go_away(self) -> None:
        self._here.clear()
        self.troubled_at = self._clock.monotonic()

    def come_back(self) -> None:
        self._here.set()
        self.troubled_at = self._clock.monotonic()

    async def back(self) -> None:
        await self._here.wait()

    async def want(self, key: RequestKey, channel: str) -> bool:
        if channel in self.listeners:
            self.listeners[channel](f"wanted {key_text(key)}".encode())
        return channel in self.listeners

    def __getattr__(self, step: str) -> Any:
        async def asked(*args: Any) -> Any:
            self.asked[step] += 1
            await asyncio.sleep(0)
            if not self._here.is_set():
                raise StoreUnavailableError("away")
            return await getattr(self._records, step)(*args)

        return asked

    def _tell_all(self, message: bytes) -> None:
        for hear in self.listeners.values():
            hear(message)


class Workers:
    """Ledgers of several workers on one store; time is turned by hand but for the short real waits."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = Store(self.clock)

    def start(self, name: str, hold_s: float = 5.0, *, starts_unrecorded: bool = False) -> Built:
        foundation = Foundation(
            owner=name,
            worker=name,
            times=Times(),
            clock=self.clock,
            observer=an_observer(),
            trust=self.store,
            hold_s=hold_s,
            starts_unrecorded=starts_unrecorded,
        )
        built = build_ledger(foundation, lambda _: self.store)  # pyright: ignore[reportArgumentType]  # by __getattr__
        self.store.listeners[name] = built.holds.hear
        return built


async def held(built: Built, delivery: DeliveryLease | None = None, **changes: Any) -> Hold:
    claim = await built.ledger.claim(a_request(**changes), delivery or DeliveryLease())
    assert isinstance(claim, Granted)
    return claim.hold


def soon(workers: Workers) -> Deadline:
    return Deadline(workers.clock.monotonic() + 60)


@in_simulated_time
async def test_a_request_in_other_hands_is_postponed_after_a_bounded_wait():
    workers = Workers()
    await held(workers.start("a"))
    with pytest.raises(PostponedError) as postponed:
        await held(workers.start("b", hold_s=0.05))
    assert (postponed.value.reason, postponed.value.wait_s) == (Reason.BUSY, LEASE_S)


@in_simulated_time
async def test_who_waits_for_another_worker_is_told_of_its_end():
    workers = Workers()
    a, b = workers.start("a"), workers.start("b")
    hold = await held(a)
    waiting = asyncio.create_task(b.ledger.claim(a_request(), DeliveryLease()))
    for _ in range(10):
        await asyncio.sleep(0)
    await a.ledger.commit(hold, TERMINAL, soon(workers))
    async with asyncio.timeout(0.5):
        assert getattr(await waiting, "terminal", None) == TERMINAL


@pytest.mark.usefixtures("quick_looks")
@in_simulated_time
async def test_an_owner_that_no_longer_listens_is_superseded_after_two_looks():
    workers = Workers()
    await held(workers.start("a"))
    del workers.store.listeners["a"]
    hold = await held(workers.start("b"))
    assert hold.key == a_request().key


@in_simulated_time
async def test_a_claim_that_its_asker_gave_up_is_given_back_to_who_waits_for_it():
    workers = Workers()
    a, b = workers.start("a"), workers.start("b")
    await workers.store.claim(a_request().key, a_claimant("a", identity=identity_of(a_request())))
    async with owned(a.disowning.run(), SILENCE), asyncio.timeout(2):
        await held(b)
    assert (await workers.store.look(a_request().key)).vanished == 0


@in_simulated_time
async def test_what_a_worker_has_in_hand_it_keeps_whoever_asks_for_it():
    workers = Workers()
    a = workers.start("a")
    hold = await held(a)
    async with owned(a.disowning.run(), SILENCE):
        with pytest.raises(PostponedError):
            await held(workers.start("b", hold_s=0.2))
    assert workers.store.asked["disown"] == 0
    assert await a.ledger.commit(hold, TERMINAL, soon(workers)) == TERMINAL


async def test_what_a_worker_asks_for_just_now_it_does_not_give_back():
    workers = Workers()
    a = workers.start("a")
    await workers.store.claim(a_request().key, a_claimant("a", identity=identity_of(a_request())))
    claiming = asyncio.create_task(held(a))
    await asyncio.sleep(0)
    await a.disowning.disown(a_request().key)
    assert workers.store.asked["disown"] == 0
    hold = await claiming
    assert await a.ledger.commit(hold, TERMINAL, soon(workers)) == TERMINAL


async def test_a_worker_claims_nothing_while_it_gives_the_same_back():
    workers = Workers()
    a = workers.start("a")
    await workers.store.claim(a_request().key, a_claimant("a", identity=identity_of(a_request())))
    giving = asyncio.create_task(a.disowning.disown(a_request().key))
    await asyncio.sleep(0)
    hold = await held(a)
    assert giving.done()
    assert (await workers.store.look(hold.key)).owner == "a"
    assert await a.ledger.commit(hold, TERMINAL, soon(workers)) == TERMINAL


@in_simulated_time
async def test_others_who_ask_for_ever_more_take_no_more_memory():
    a = Workers().start("a")
    for number in range(2 * MOST_WANTED):
        a.holds.hear(f"wanted acme/c-{number}~0".encode())
    async with asyncio.timeout(2):
        wanted = [await a.holds.next_wanted() for _ in range(MOST_WANTED)]
        assert wanted[0] == ("acme", "c-0", 0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(a.holds.next_wanted(), 0.01)


def test_a_key_is_read_from_its_text_whatever_its_sender_put_in_it():
    for key in (("acme", "c-1", 0), ("acme", "a/b~c~7", 12)):
        assert key_of(key_text(key)) == key


@in_simulated_time
async def test_two_deliveries_that_wait_for_another_worker_do_not_keep_asking_each_others_question():
    workers = Workers()
    await held(workers.start("a"))
    b = workers.start("b", hold_s=0.5)
    waiting = [asyncio.create_task(held(b)) for _ in range(2)]
    await asyncio.gather(*waiting, return_exceptions=True)
    assert workers.store.asked["claim"] <= 1 + 2 * 2


@pytest.mark.usefixtures("quick_looks")
@in_simulated_time
async def test_an_owner_that_no_longer_listens_is_superseded_where_two_deliveries_wait_for_it():
    workers = Workers()
    await held(workers.start("a"))
    del workers.store.listeners["a"]
    b = workers.start("b", hold_s=4)
    waiting = [asyncio.create_task(held(b)) for _ in range(2)]
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert done.pop().result().key == a_request().key
    for one in pending:
        one.cancel()


async def test_no_call_starts_while_the_store_is_away_unless_operators_want_it_to():
    workers = Workers()
    built = workers.start("a")
    hold = await held(built)
    workers.store.go_away()
    with pytest.raises(LostError):
        await built.ledger.begin_attempt(hold)


async def test_a_call_that_started_without_the_store_is_stated_when_it_is_back_and_ends_as_any_other():
    workers = Workers()
    built = workers.start("a", starts_unrecorded=True)
    delivery = DeliveryLease()
    hold = await held(built, delivery)
    workers.store.go_away()
    assert await built.ledger.begin_attempt(hold) == 1
    ending = asyncio.create_task(built.ledger.commit(hold, TERMINAL, soon(workers)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not ending.done()
    workers.store.come_back()
    await built.renewing.renew_all()
    assert await asyncio.wait_for(ending, 5) == TERMINAL
    record = await workers.store.look(hold.key)
    assert (record.attempts, record.ended is not None) == (1, True)


async def test_a_call_starts_without_the_store_only_where_the_broker_still_counts_on_its_worker():
    workers = Workers()
    built = workers.start("a", starts_unrecorded=True)
    delivery = DeliveryLease()
    hold = await held(built, delivery)
    workers.store.go_away()
    delivery.lost()
    with pytest.raises(LostError):
        await built.ledger.begin_attempt(hold)


@pytest.mark.usefixtures("quick_looks")
@in_simulated_time
async def test_nobody_is_declared_dead_right_after_the_store_was_away():
    workers = Workers()
    await held(workers.start("a"))
    del workers.store.listeners["a"]
    workers.store.troubled_at = workers.clock.monotonic()
    with pytest.raises(PostponedError):
        await held(workers.start("b", hold_s=5 * LOOKS_S))
    workers.clock.advance(GRACE_S)
    await held(workers.start("c"))


async def test_a_call_ends_only_when_both_leases_are_lost():
    workers = Workers()
    delivery = DeliveryLease()
    a = workers.start("a")
    hold = await held(a, delivery)
    delivery.lost()
    await a.renewing.renew_all()
    with hold.working():
        pass
    workers.store.go_away()
    workers.clock.advance(LEASE_S + 1)
    await a.renewing.renew_all()
    with pytest.raises(LostError), hold.working():
        pass


async def test_a_delivery_that_is_held_keeps_a_call_alive_without_the_store():
    workers = Workers()
    a = workers.start("a")
    hold = await held(a)
    workers.store.go_away()
    workers.clock.advance(10 * LEASE_S)
    await a.renewing.renew_all()
    with hold.working():
        pass


async def test_a_redelivery_to_the_worker_that_still_works_is_a_lease_again():
    workers = Workers()
    first, second = DeliveryLease(), DeliveryLease()
    a = workers.start("a")
    hold = await held(a, first)
    first.lost()
    waiting = asyncio.create_task(a.ledger.claim(a_request(), second))
    await asyncio.sleep(0)
    workers.clock.advance(10 * LEASE_S)
    assert hold.stands(workers.clock.monotonic())
    await a.ledger.commit(hold, TERMINAL, soon(workers))
    assert getattr(await waiting, "terminal", None) == TERMINAL


@in_simulated_time
async def test_without_a_store_nothing_is_claimed_and_nothing_begun():
    workers = Workers()
    a = workers.start("a", hold_s=0.05)
    hold = await held(a)
    workers.store.go_away()
    with pytest.raises(LostError):
        await a.ledger.begin_attempt(hold)
    with pytest.raises(LostError):
        await a.ledger.claim(a_request(correlation_id="c-2"), DeliveryLease())


async def test_an_end_waits_for_the_store_and_is_not_published_before():
    workers = Workers()
    a = workers.start("a")
    hold = await held(a)
    workers.store.go_away()
    commit = asyncio.create_task(a.ledger.commit(hold, TERMINAL, soon(workers)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not commit.done()
    workers.store.come_back()
    assert await commit == TERMINAL


async def test_an_end_that_waited_too_long_is_given_up():
    workers = Workers()
    a = workers.start("a")
    hold = await held(a)
    workers.store.go_away()
    with pytest.raises(LostError):
        await a.ledger.commit(hold, TERMINAL, Deadline(workers.clock.monotonic() - 10_000))


async def test_a_release_without_a_store_leaves_it_to_the_lease():
    workers = Workers()
    a = workers.start("a")
    hold = await held(a)
    workers.store.go_away()
    await a.ledger.release(hold)
    workers.store.come_back()
    workers.clock.advance(LEASE_S + GRACE_S + 1)
    await held(workers.start("b"))


def test_a_lease_outlives_two_renewals_that_failed():
    assert 2 * RENEW_S < LEASE_S


async def died_over(workers: Workers, *correlation_ids: str) -> None:
    """Two workers, one after the other, that began attempts at each and were not heard of again."""
    for name in ("a", "b"):
        built = workers.start(name)
        for correlation_id in correlation_ids:
            await built.ledger.begin_attempt(await held(built, correlation_id=correlation_id))
        del workers.store.listeners[name]


@pytest.mark.usefixtures("quick_looks")
async def test_of_requests_that_two_workers_died_over_one_after_the_other_works():
    workers = Workers()
    await died_over(workers, "c-1", "c-2")
    c = workers.start("c")
    first = await held(c, correlation_id="c-1")
    second = asyncio.create_task(held(c, correlation_id="c-2"))
    await until(lambda: len(c.holds.all()) == 2)
    beside = await held(c, correlation_id="c-3")
    assert (first.vanished, beside.vanished, second.done()) == (2, 0, False)
    await c.ledger.release(first)
    assert (await asyncio.wait_for(second, 5)).vanished == 2


@pytest.mark.usefixtures("quick_looks")
async def test_a_suspect_whose_turn_does_not_come_is_put_aside_and_in_nobodys_hands():
    workers = Workers()
    await died_over(workers, "c-1", "c-2")
    c = workers.start("c", hold_s=4 * LOOKS_S)
    await held(c, correlation_id="c-1")
    with pytest.raises(PostponedError) as postponed:
        await held(c, correlation_id="c-2")
    assert (postponed.value.reason, len(c.holds.all())) == (Reason.BUSY, 1)
    await held(workers.start("d"), correlation_id="c-2")
