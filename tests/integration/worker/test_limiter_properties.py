"""Whatever is asked in whatever order, store and memory decide alike and never break a plain model."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fleet_contracts.grammar import Lane
from fleet_worker.limiter.rules import TenantLimits
from fleet_worker.limiter.terms import Ask, Ended, Refused, Settlement
from harness.limiters import POOL, QUICK, MemoryDesk, StoreDesk, a_desk, an_ask

pytestmark = pytest.mark.sockets

TENANTS = ("acme", "beta", "gamma")
CAPS = {"beta": 2}
BUDGET = 5000
RULES = replace(QUICK, concurrency=6)


@dataclass(frozen=True)
class Step:
    """`what` is done with the wish that `pick` points at, or with a new one."""

    what: str
    tenant: str
    lane: Lane
    tokens: int
    worst: int
    pick: int


steps = st.builds(
    Step,
    st.sampled_from(["acquire"] * 5 + ["answer"] * 4 + ["leave", "refuse", "again", "look"]),
    st.sampled_from(TENANTS),
    st.sampled_from(Lane),
    st.integers(1, 500),
    st.integers(0, 900),
    st.integers(0, 50),
)


@dataclass
class Model:
    """What must hold, said plainly: who asked in which order, who holds, who has ended."""

    asked: list[Ask] = field(default_factory=list[Ask])
    gone: set[str] = field(default_factory=set[str])
    spent: int = 0

    def check(self, held: set[str]) -> None:
        holders = [ask for ask in self.asked if ask.id in held]
        waiting = [ask for ask in self.asked if ask.id not in held and ask.id not in self.gone]
        assert len(held) == len(holders) <= 6
        assert not held & self.gone
        assert sum(ask.lane is Lane.BATCH for ask in holders) <= 4
        for tenant, cap in CAPS.items():
            assert sum(ask.tenant == tenant for ask in holders) <= cap
        reserved = sum(ask.worst for ask in holders if ask.tenant == "gamma")
        assert self.spent + reserved <= BUDGET
        self._first_come_first_served(holders, waiting)
        self._nothing_left_lying(holders, waiting)

    def _first_come_first_served(self, holders: list[Ask], waiting: list[Ask]) -> None:
        for ask in waiting:
            later = [one for one in holders if self.asked.index(one) > self.asked.index(ask)]
            assert not any((one.tenant, one.lane) == (ask.tenant, ask.lane) for one in later)

    def _nothing_left_lying(self, holders: list[Ask], waiting: list[Ask]) -> None:
        free = [ask for ask in waiting if ask.tenant == "acme" and ask.lane is Lane.INTERACTIVE]
        assert not (free and len(holders) < 6), "a slot is free and somebody without limits waits"


class Run:
    """One sequence of steps, on one book."""

    def __init__(self, desk: MemoryDesk | StoreDesk) -> None:
        self.desk = desk
        self.model = Model()

    async def do(self, number: int, step: Step) -> set[str]:
        book, model = self.desk.book, self.model
        held = await self.desk.held()
        running = [ask for ask in model.asked if ask.id in held]
        known = [ask for ask in model.asked if ask.id not in model.gone]
        if step.what == "acquire":
            worst = step.worst if step.tenant == "gamma" else 0
            ask = an_ask(number, step.tenant, step.lane, step.tokens, worst=worst)
            if isinstance(await book.acquire(ask), Refused):
                model.gone.add(ask.id)
            model.asked.append(ask)
        elif step.what in {"answer", "refuse"} and running:
            ask = running[step.pick % len(running)]
            model.gone.add(ask.id)
            spent = ask.worst // 2
            model.spent += spent if ask.tenant == "gamma" else 0
            ended = Ended.ANSWERED if step.what == "answer" else Ended.OTHER
            await book.release(ask, Settlement(ended, tokens=step.tokens, spent=spent))
        elif step.what == "leave" and known:
            ask = known[step.pick % len(known)]
            model.gone.add(ask.id)
            await book.leave(ask)
        elif step.what == "again" and known:
            await book.acquire(known[step.pick % len(known)])
        elif step.what == "look":
            await book.look(POOL)
        return await self.desk.held()


async def play(kind: str, url: str, sequence: list[Step]) -> list[set[str]]:
    async with a_desk(kind, url, RULES) as desk:
        await desk.set_tenant("beta", TenantLimits(concurrency=CAPS["beta"]))
        await desk.set_tenant("gamma", TenantLimits(day=BUDGET))
        run, seen = Run(desk), list[set[str]]()
        for number, step in enumerate(sequence):
            held = await run.do(number, step)
            run.model.gone |= set(desk.heard.refusals)
            run.model.check(held)
            seen.append(held)
        for ask in run.model.asked:
            await desk.book.leave(ask)
        assert await desk.held() == set()
        return seen


@settings(
    max_examples=40,
    deadline=None,
    # A smaller example is worth less than the minutes that a store takes to find it.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(steps, min_size=5, max_size=60))
def test_store_and_memory_grant_the_same_and_never_break_the_model(
    sequence: list[Step], stores: object, product: str
):
    from harness.store import SharedStore, Stores

    assert isinstance(stores, Stores)
    shared: SharedStore = stores.of(product)
    in_memory = asyncio.run(play("memory", "", sequence))
    in_store = asyncio.run(play("store", f"{shared.url.rpartition('/')[0]}/15", sequence))
    assert in_store == in_memory
