"""The real scripts on a real store, driven at random beside the plain rules: both always say the same."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import RedisStore
from fleet_worker.ledger import rules
from fleet_worker.ledger.answers import Busy, Ended, Stored, Taken, TakenToEnd
from fleet_worker.ledger.record import Holder, Owner, Record
from fleet_worker.ledger.rules import owner_of
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import Times
from harness.ledgers import FACTS, a_claimant, a_head
from harness.store import SharedStore

pytestmark = pytest.mark.sockets

KEY = ("acme", "c-1", 0)
RECORD = "test:request:{acme/c-1~0}"
LEASE_MS = Times().lease_ms
WORKERS = st.sampled_from([0, 0, 0, 1, 1, 2])
FLAGS = st.booleans()


@dataclass(slots=True)
class Pair:
    """What one worker knows, in the store's numbers and in the model's."""

    name: str
    real_fence: int = 0
    fence: int = 0
    attempts: int = 0
    attempts_before: int = 0
    void: str = ""
    sure: bool = True
    real_dead: Owner | None = None
    dead: Owner | None = None
    committed: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """One request, three workers, and everything that may happen to them."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = RedisStore(self.url, 5, SystemClock())
        self.records = StoreRecords(self.store, "test", Times())
        self.record = Record()
        self.now_ms = 1000
        self.workers = [Pair(f"w{number}") for number in range(3)]
        self.born = 3
        self.fences = {0: 0}
        self.saved: tuple[dict[bytes, bytes], bytes | None, Record] | None = None
        self.forgot = False
        self.published: set[str] = set()

    def there(self, awaitable: Any) -> Any:
        async def asked() -> Any:
            return await awaitable

        return self.runner.run(asked())

    def tick(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def same(self, real: int, model: int) -> None:
        assert self.fences.setdefault(real, model) == model

    @initialize()
    def begin_empty(self) -> None:
        self.there(self.store.command("FLUSHDB"))

    @rule(place=WORKERS, other=FLAGS, patient=FLAGS, forgiving=FLAGS)
    def claim(self, place: int, other: bool, patient: bool, forgiving: bool) -> None:
        worker = self.workers[place]
        identity = "chat.v1:other" if other else "chat.v1:d"
        asked = a_claimant(worker.name, identity=identity, patient=patient, forgiving=forgiving)
        real = self.there(self.records.claim(KEY, replace(asked, dead=worker.real_dead)))
        self.record, answer = rules.claim(
            self.record, replace(asked, dead=worker.dead), self.tick(), LEASE_MS
        )
        if isinstance(answer, Taken):
            assert isinstance(real, Taken)
            self.same(real.fence, answer.fence)
            assert replace(real, fence=0) == replace(answer, fence=0)
            self.hold(place, real.fence, answer)
        elif isinstance(answer, Busy):
            assert isinstance(real, Busy)
            self.same(real.owner.fence, answer.owner.fence)
            assert real.owner.channel == answer.owner.channel
            worker.real_dead, worker.dead = real.owner, answer.owner
        else:
            assert real == answer
            if isinstance(answer, Ended):
                self.published.add(answer.head.digest)

    def hold(self, place: int, real_fence: int, taken: Taken | TakenToEnd) -> None:
        name = self.workers[place].name
        self.workers[place] = Pair(
            name, real_fence, taken.fence, taken.attempts, attempts_before=taken.attempts, void=taken.void
        )

    @rule(place=WORKERS, begins=FLAGS, void=st.sampled_from(["", "worker_lost"]))
    def keep(self, place: int, begins: bool, void: str) -> None:
        worker = self.workers[place]
        worker.attempts += begins
        worker.void = void
        real = self.there(self.records.keep(KEY, self.holder(worker, worker.real_fence)))
        self.record, answer = rules.keep(
            self.record, self.holder(worker, worker.fence), self.tick(), LEASE_MS
        )
        assert real == answer

    @rule(place=WORKERS)
    def commit(self, place: int) -> None:
        worker = self.workers[place]
        head, body = a_head(f"{worker.name}-{worker.fence}"), worker.name.encode()
        real = self.there(self.records.commit(KEY, self.holder(worker, worker.real_fence), head, body))
        self.record, answer = rules.commit(self.record, self.holder(worker, worker.fence), head, body)
        assert real == answer
        if isinstance(answer, Stored):
            self.published.add(head.digest)
        elif isinstance(answer, Ended):
            self.published.add(answer.head.digest)

    @rule(place=WORKERS)
    def release(self, place: int) -> None:
        worker = self.workers[place]
        real = self.there(self.records.release(KEY, self.holder(worker, worker.real_fence)))
        self.record, answer = rules.release(self.record, self.holder(worker, worker.fence))
        assert real == answer

    @rule(stale=FLAGS)
    def an_owner_disowns(self, stale: bool) -> None:
        late = int(stale)
        seen = owner_of(self.there(self.records.look(KEY)) or Record())
        real = self.there(self.records.disown(KEY, replace(seen, lease_ends_ms=seen.lease_ends_ms - late)))
        seen = owner_of(self.record)
        self.record, answer = rules.disown(
            self.record, replace(seen, lease_ends_ms=seen.lease_ends_ms - late)
        )
        assert real == answer

    @rule(place=WORKERS)
    def cancel(self, place: int) -> None:
        name = self.workers[place].name
        real = self.there(self.records.cancel(KEY, name))
        self.record, answer = rules.cancel(self.record, name, self.tick(), LEASE_MS)
        if isinstance(answer, TakenToEnd):
            self.same(real.fence, answer.fence)
            assert replace(real, fence=0) == replace(answer, fence=0)
            self.hold(place, real.fence, answer)
        else:
            assert real == answer

    @rule()
    def a_lease_ends(self) -> None:
        if self.record.owner:
            self.there(self.store.command("HSET", RECORD, "lease", 0))
            self.record = replace(self.record, lease_ends_ms=0)

    @rule(place=WORKERS)
    def a_worker_is_killed_and_another_starts(self, place: int) -> None:
        self.workers[place] = Pair(f"w{self.born}")
        self.born += 1

    @rule(place=WORKERS)
    def a_worker_loses_both_leases(self, place: int) -> None:
        self.workers[place].sure = False

    @rule()
    def the_store_forgets(self) -> None:
        self.there(self.store.command("FLUSHDB"))
        self.there(asyncio.sleep(0.002))  # fences are milliseconds where nothing is known
        self.record, self.forgot = Record(), True

    @rule()
    def a_replica_copies(self) -> None:
        fields = self.there(self.store.command("HGETALL", RECORD))
        body = self.there(self.store.command("GET", f"{RECORD}:body"))
        self.saved = (fields, body, self.record)

    @rule()
    def the_replica_takes_over(self) -> None:
        if self.saved is None:
            return
        fields, body, self.record = self.saved
        self.there(self.store.command("FLUSHDB"))
        self.there(asyncio.sleep(0.002))
        if fields:
            flat = [part for pair in fields.items() for part in pair]
            self.there(self.store.command("HSET", RECORD, *flat))
        if body is not None:
            self.there(self.store.command("SET", f"{RECORD}:body", body))
        self.forgot = True

    @invariant()
    def both_know_the_same(self) -> None:
        real = self.there(self.records.look(KEY)) or Record()
        self.same(real.fence, self.record.fence)
        assert (real.lease_ends_ms == 0) == (self.record.lease_ends_ms == 0)
        rest = {"fence": 0, "lease_ends_ms": 0}
        assert replace(real, **rest) == replace(self.record, **rest)

    @invariant()
    def a_store_that_forgets_nothing_gives_one_terminal_reply(self) -> None:
        assert self.forgot or len(self.published) <= 1

    def holder(self, worker: Pair, fence: int) -> Holder:
        trials = dict.fromkeys(range(1, worker.attempts + 1), b"t")
        fixed: dict[str, Any] = {"identity": "chat.v1:d", "facts": FACTS, "trials": trials}
        return Holder(
            worker.name,
            fence,
            attempts=worker.attempts,
            attempts_before=worker.attempts_before,
            void=worker.void,
            restates=worker.sure and fence > 0,
            **fixed,
        )

    def teardown(self) -> None:
        self.there(self.store.aclose())
        self.runner.close()


def test_the_scripts_say_what_the_rules_say_whatever_happens(store: SharedStore):
    with asyncio.Runner() as runner:
        url = runner.run(store.fresh_database())

    class Here(LedgerMachine):
        pass

    Here.url = url
    # One example after the other talks to a real store: how long it takes says nothing.
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    checks = settings(max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(Here, settings=checks)
