"""`fleet tenant forget`: nothing of that tenant is left in the store, and all of the others."""

import asyncio
import re
from typing import Any

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import RedisStore, open_store
from fleet_cli.forgetting import forget_tenant
from fleet_worker.conversations.histories import Keeping, Taken
from fleet_worker.conversations.history import Said
from fleet_worker.conversations.store import StoreHistories
from fleet_worker.ledger.answers import Stored
from fleet_worker.ledger.answers import Taken as Claimed
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import Times
from fleet_worker.limiter.overview import Overview
from fleet_worker.request import RequestKey, key_text
from harness.commands import fleet
from harness.conversations import a_claim, an_addition, assistant, user
from harness.ledgers import a_claimant, a_head, a_holder
from harness.limiters import QUICK, LimitedWorker, a_limited_worker

pytestmark = pytest.mark.sockets

ACME = "acme"
OTHERS = ("acm", "acme2", "acme-acme", "x_acme", "ACME")
STRANGE = "c {1}:answer:\n~é*"
OF_ALL = re.compile(rb"fleet:(audit|\{limits\}:(meta|pool:.*|workers))")
"""What no tenant has for itself."""


def records_in(store: RedisStore, times: Times | None = None) -> StoreRecords:
    return StoreRecords(store, "fleet", times or Times())


def histories_in(store: RedisStore) -> StoreHistories:
    return StoreHistories(store, "fleet", Keeping())


async def claimed(store: RedisStore, key: RequestKey, times: Times | None = None) -> Claimed:
    answer = await records_in(store, times).claim(key, a_claimant())
    assert isinstance(answer, Claimed)
    return answer


async def ended(store: RedisStore, key: RequestKey) -> None:
    holder = a_holder(await claimed(store, key))
    assert isinstance(await records_in(store).commit(key, holder, a_head(), b"an answer"), Stored)


async def said(store: RedisStore, tenant: str, name: str, turn: str, *, is_over: bool) -> None:
    """A conversation with one turn, whose answer is kept, or with one that is under way."""
    histories, claim = histories_in(store), a_claim(turn)
    taken = await histories.take((tenant, name), claim)
    assert isinstance(taken, Taken)
    if is_over:
        exchange = Said(turn, [user("Hello"), assistant("Hi")])
        await histories.append((tenant, name), claim, an_addition(taken.history, exchange))


async def filled(store: RedisStore, worker: LimitedWorker, tenant: str) -> None:
    """Two ended requests, a conversation with an answer, two limits, and the use of one call."""
    for name in ("c-1", STRANGE):
        await ended(store, (tenant, name, 0))
    await said(store, tenant, STRANGE, key_text((tenant, STRANGE, 0)), is_over=True)
    await Overview(store, "fleet", SystemClock()).set_tenant(tenant, weight=2, day=5)
    await worker.call(0, tenant=tenant)


async def everything(store: RedisStore) -> dict[bytes, Any]:
    """All that the store holds for tenants: fields of hashes, and whole keys of other types."""
    found: dict[bytes, Any] = {}
    for key in await store.command("KEYS", "*"):
        if OF_ALL.fullmatch(key):
            continue
        if await store.command("TYPE", key) == b"hash":
            fields = await store.command("HGETALL", key)
            found |= {key + b" " + name: value for name, value in fields.items()}
        else:
            found[key] = await store.command("DUMP", key)
    return found


def is_of_acme(name: bytes) -> bool:
    return re.search(rb"\{acme/|tenant\|acme\||\|acme$| acme\|", name) is not None


async def forgotten(url: str, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    """What the command does and says, in this process."""
    is_whole = await forget_tenant({"REDIS_URL": url}, SystemClock(), ACME)
    return is_whole, capsys.readouterr().out


async def test_forgetting_a_tenant_leaves_nothing_of_it_and_everything_of_the_others(
    store_url: str, capsys: pytest.CaptureFixture[str]
):
    async with open_store(store_url, 20, SystemClock()) as store:
        async with a_limited_worker(store_url, "w1", QUICK, timeout_s=20) as worker:
            for tenant in (ACME, *OTHERS):
                await filled(store, worker, tenant)
        before = await everything(store)
        status, output = await fleet(store_url, "tenant", "forget", ACME, "--yes", FLEET_OPERATOR="anna")
        assert status == 0, output
        assert output.splitlines()[:8] == [
            "forgotten of acme:",
            "  2 records of requests",
            "  2 terminal replies",
            "  1 conversations",
            "  1 answers kept for a takeover",
            "  2 limits and budgets",
            "  2 sums that it spent",
            "  5 figures of its use by day",
        ]
        assert "`fleet dlq drop --tenant acme`" in output
        assert any(is_of_acme(name) for name in before)
        assert await everything(store) == {
            name: value for name, value in before.items() if not is_of_acme(name)
        }
        is_whole, output = await forgotten(store_url, capsys)
        assert is_whole
        assert set(re.findall(r"^  (\d+) ", output, re.MULTILINE)) == {"0"}
    _, log = await fleet(store_url, "audit")
    assert re.search(r"anna +begun +fleet tenant forget acme --yes", log)


async def test_what_runs_or_waits_is_told_and_left_until_it_has_ended(
    store_url: str, capsys: pytest.CaptureFixture[str]
):
    async with open_store(store_url, 20, SystemClock()) as store:
        running, parked = (ACME, "running", 0), (ACME, "parked", 0)
        await ended(store, (ACME, "ended", 0))
        await claimed(store, running)
        await records_in(store).release(parked, a_holder(await claimed(store, parked)))
        await said(store, ACME, "in a turn", key_text(running), is_over=False)
        await said(store, ACME, "not committed", key_text(parked), is_over=True)
        await Overview(store, "fleet", SystemClock()).set_tenant(ACME, queue=1)
        is_whole, output = await forgotten(store_url, capsys)
        assert not is_whole
        assert "  1 records of requests\n" in output
        assert output.partition("when they have ended:\n")[2].splitlines()[:5] == [
            "  1 requests that a worker has in hand",
            "  1 requests that wait, or were cancelled before they came",
            "  1 conversations with a turn under way",
            "  1 answers of turns that have not ended",
            "it has queues of its own: `fleet tenant remove acme` takes them away",
        ]
        for key in (running, parked):
            assert await records_in(store).look(key) is not None
            await ended(store, key)
        await histories_in(store).release((ACME, "in a turn"), a_claim(key_text(running)))
        is_whole, output = await forgotten(store_url, capsys)
        assert is_whole
        assert [name for name in await everything(store) if is_of_acme(name)] == [
            b"fleet:{limits}:config tenant|acme|queue"
        ]


async def test_a_claim_whose_worker_is_gone_is_none_and_still_waits_for_another(
    store_url: str, capsys: pytest.CaptureFixture[str]
):
    async with open_store(store_url, 20, SystemClock()) as store:
        await claimed(store, (ACME, "orphan", 0), Times(lease_s=0.001))
        await asyncio.sleep(0.01)
        is_whole, output = await forgotten(store_url, capsys)
        assert not is_whole
        assert "  1 requests that wait" in output


async def test_many_requests_are_gone_through_in_steps(store_url: str, capsys: pytest.CaptureFixture[str]):
    many = 1_500  # more than one step
    async with open_store(store_url, 20, SystemClock()) as store:
        for tenant in (ACME, "acme2"):
            keys = [f"fleet:request:{{{tenant}/c-{number}~0}}" for number in range(many)]
            await asyncio.gather(*(store.command("HSET", key, "digest", "d") for key in keys))
        is_whole, output = await forgotten(store_url, capsys)
        assert is_whole
        assert f"  {many} records of requests\n" in output
        assert len([key for key in await everything(store) if b"{acme2/" in key]) == many


async def test_without_an_answer_to_its_question_and_without_a_tenant_nothing_is_forgotten(store_url: str):
    async with open_store(store_url, 20, SystemClock()) as store:
        await ended(store, (ACME, "c-1", 0))
        status, output = await fleet(store_url, "tenant", "forget", ACME)
        assert status == 2
        assert "nothing forgotten, as nobody answered: say --yes to be asked nothing" in output
        assert await records_in(store).look((ACME, "c-1", 0)) is not None
        status, output = await fleet(store_url, "tenant", "forget", "*", "--yes")
        assert status == 2
        assert "is no tenant" in output
