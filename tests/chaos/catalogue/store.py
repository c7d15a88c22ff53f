"""Faults of the store: killed, emptied, stopped, full, and replaced by a replica that knows less."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage
from chaos.plan import Trouble
from fleet_cli.stack.store.asking import ask as asked_of
from fleet_cli.stack.store.store import Store
from harness.store import a_store, chosen_product

LAG_S = 1.0
CONNECTED = (b"connected", "connected")
FEW = 6
"""Calls that may begin in the moment in which a store goes away."""


@entry(
    30,
    "kill -9 of the store, and a start with what it had on disk",
    "running calls go on, nothing begins without it: each call is paid once",
)
async def store_killed(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(4)
        await stage.trouble(Trouble.STORE_RESTART)
    await stage.paid_once()


@entry(
    31,
    "FLUSHALL while requests run",
    "nothing is lost, and few calls are paid again",
    may={"answered twice"},
)
async def store_emptied(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(5)
        await stage.scene.store.flush()
        stage.mended()
    report = await stage.report()
    stage.must(
        report.residue.charged <= report.ended + FEW,
        f"{report.residue.charged} charged for {report.ended} ends",
    )


@entry(
    32,
    "the store stands still for 10 s, and for 40 s: longer than its leases",
    "no two ends, and no call is paid again: nobody else can claim while it stands",
    within_s=60,
)
async def store_stopped(stage: Stage) -> None:
    async with stage.load():
        for seconds in (10, 40):
            await asyncio.sleep(3)
            await stage.scene.store.pause()
            try:
                await asyncio.sleep(2)
                begun = stage.calls("arrived")
                await asyncio.sleep(seconds - 2)
                more = stage.calls("arrived") - begun
            finally:
                await stage.scene.store.resume()
            stage.must(more <= FEW, f"nothing begins while it stands for {seconds} s, not {more}")
            stage.mended()
    await stage.paid_once()


@entry(
    33,
    "the store dies, and a replica that lags by a second takes its place; then the old one comes back",
    "nothing is lost; what began in that second may be paid again, and only that",
    may={"answered twice"},
)
async def store_failover(stage: Stage) -> None:
    scene = stage.scene
    old = scene.store
    async with stage.load(16), _a_replica(stage, old) as replica:
        await asyncio.sleep(5)
        await replica.pause()
        await asyncio.sleep(LAG_S)
        lagged = stage.calls("arrived")
        await old.kill()
        await replica.resume()
        await asked_of(replica.url, "REPLICAOF", "NO", "ONE")
        _lead_all_to(stage, replica)
        scene.store = replica
        stage.mended()
        await asyncio.sleep(5)
        await old.restart()
        host, port = _place(replica)
        await asked_of(old.url, "CONFIG", "SET", "masterauth", _password(replica))
        await asked_of(old.url, "REPLICAOF", host, port)
        await stage.caller.until_answered(90)
        report = await stage.report()
        stage.note("answered twice", len(report.duplicated))
        most = round((LAG_S + 1) * stage.load_of.rate) + FEW
        stage.must(
            report.residue.charged <= report.ended + most,
            f"{report.residue.charged} charged for {report.ended} ends, {lagged} begun before",
        )
        role = await asked_of(old.url, "ROLE")
        stage.must(role[0] in (b"slave", "slave"), f"the old one follows, not {role[0]}")
        # The report is made: only the queues and the replica were looked at, which is the store now.


@entry(
    36,
    "the store is full (maxmemory, no eviction) for 10 s",
    "nothing begins, running calls keep their ends, and all goes on when there is room",
)
async def store_full(stage: Stage) -> None:
    url = stage.scene.store.url
    async with stage.load():
        await asyncio.sleep(4)
        await asked_of(url, "CONFIG", "SET", "maxmemory", "1mb")
        try:
            await asyncio.sleep(3)
            begun = stage.calls("arrived")
            await asyncio.sleep(7)
            more = stage.calls("arrived") - begun
        finally:
            await asked_of(url, "CONFIG", "SET", "maxmemory", "0")
        stage.mended()
    stage.must(more == 0, f"nothing begins while it is full, not {more}")
    await stage.paid_once()


@asynccontextmanager
async def _a_replica(stage: Stage, of: Store) -> AsyncGenerator[Store]:
    async with a_store(stage.environ, chosen_product(stage.environ)) as replica:
        host, port = _place(of)
        await asked_of(replica.url, "CONFIG", "SET", "masterauth", _password(of))
        await asked_of(replica.url, "REPLICAOF", host, port)
        async with asyncio.timeout(20):
            while (await asked_of(replica.url, "ROLE"))[3] not in CONNECTED:  # noqa: ASYNC110 - can only be asked
                await asyncio.sleep(0.1)
        # Workers know one password, wherever they are led.
        await asked_of(replica.url, "CONFIG", "SET", "requirepass", _password(of))
        told = of.url.replace(f":{port}/", f":{_place(replica)[1]}/")
        yield _renamed(replica, told)


def _renamed(store: Store, url: str) -> Store:
    store.url = url
    return store


def _lead_all_to(stage: Stage, store: Store) -> None:
    host, port = _place(store)
    for member in stage.scene.crew.members:
        member.store.lead_to(host, port)
        member.store.reset()
    stage.scene.crew.store_url = store.url


def _place(store: Store) -> tuple[str, int]:
    where = urlsplit(store.url)
    return where.hostname or "", where.port or 0


def _password(store: Store) -> str:
    return urlsplit(store.url).password or ""
