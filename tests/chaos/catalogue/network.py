"""Faults of the way to broker and store: it breaks, is cut and nobody is told, is far and narrow."""

import asyncio
from contextlib import suppress

from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage
from chaos.plan import Trouble
from harness.proxy import Proxy, Way


async def _channels(stage: Stage) -> int:
    return len((await stage.scene.broker.ctl("list_channels", "pid")).splitlines())


@entry(
    14,
    "all connections of the workers to the broker reset every 3 s",
    "calls go on: each is paid once; no channel is left over",
)
async def resets(stage: Stage) -> None:
    async with stage.load(3):  # some channels are opened when they are first needed
        pass
    await stage.caller.until_answered(60)
    before = await _channels(stage)
    async with stage.load():
        for _ in range(4):
            await asyncio.sleep(3)
            await stage.trouble(Trouble.RESET)
    await stage.paid_once()
    left = await _channels(stage)
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            while (left := await _channels(stage)) > before:  # noqa: ASYNC110 - a broker can only be asked
                await asyncio.sleep(1)
    stage.note("channels", f"{left}, {before} before")
    stage.must(left <= before, f"no channel is left over: {left}, {before} before")


@entry(
    15,
    "a worker cut off from the broker for 10 s, another until all is answered: nobody is told",
    "calls go on, others tell their ends within a minute: each is paid once",
)
async def blackholes(stage: Stage) -> None:
    first, second, _ = stage.scene.crew.members
    async with stage.load(16), asyncio.TaskGroup() as cuts:
        await asyncio.sleep(4)
        cuts.create_task(_cut_for(10, first.broker))
        cuts.create_task(_cut_until_answered(stage, second.broker, Way.BOTH))
    stage.mended()
    await stage.paid_once()


@entry(
    16,
    "one way is lost: deliveries come, and what the worker says does not arrive, until all is answered",
    "others tell its ends within a minute, and nothing is paid again",
)
async def one_way_loss(stage: Stage) -> None:
    member = stage.scene.crew.members[0]
    async with stage.load():
        await asyncio.sleep(4)
        await _cut_until_answered(stage, member.broker, Way.UP)
    stage.mended()
    await stage.paid_once()


async def _cut_until_answered(stage: Stage, proxy: Proxy, way: Way) -> None:
    began = stage.now()
    proxy.blackhole(way)
    try:
        await asyncio.sleep(stage.load_of.seconds)
        await stage.caller.until_answered(60)
        stage.note("answered during the cut", f"after {stage.now() - began:.0f} s")
    except TimeoutError:
        stage.must(holds=False, sentence=f"{stage.caller.waiting} wait for who is cut off for a minute")
    finally:
        await proxy.heal()


async def _cut_for(seconds: float, proxy: Proxy, way: Way = Way.BOTH) -> None:
    proxy.blackhole(way)
    await asyncio.sleep(seconds)
    await proxy.heal()


@entry(
    17,
    "the broker is 2 s away for one worker, and 10 KB/s wide for another",
    "answers come late, and none of them is lost, doubled or paid again",
)
async def far_and_narrow(stage: Stage) -> None:
    far, narrow, _ = stage.scene.crew.members
    async with stage.load():
        await asyncio.sleep(3)
        far.broker.delay(1, Way.BOTH)
        narrow.broker.throttle(10_000)
        await asyncio.sleep(10)
        await far.broker.heal()
        await narrow.broker.heal()
        stage.mended()
    await stage.paid_once()


@entry(
    34,
    "one worker is cut off from the store for 15 s",
    "it begins nothing new, its calls go on while the broker knows it: each is paid once",
)
async def store_blackhole_of_one(stage: Stage) -> None:
    member = stage.scene.crew.members[0]
    async with stage.load():
        await asyncio.sleep(4)
        cut = stage.now()
        await _cut_for(15, member.store)
        stage.mended()
    begun = [
        event
        for event in stage.seen("accepted")
        if event.fields["worker"] == member.child.name and cut + 2 < event.at < cut + 15
    ]
    stage.must(not begun, f"nothing begins without the store, not {len(begun)}")
    report = await stage.report()
    stage.must(
        report.residue.charged <= report.ended * 1.1,
        f"at most a tenth is paid again: {report.residue.charged} for {report.ended}",
    )


@entry(
    35,
    "the store is 500 ms away for every worker",
    "fewer calls a second, and never more at once than the limit",
    settings={"FLEET_LIMIT_CONCURRENCY": "12", "FLEET_LIMIT_START": "12"},
    within_s=90,
)
async def store_far_away(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(3)
        for member in stage.scene.crew.members:
            member.store.delay(0.25, Way.BOTH)
        await asyncio.sleep(10)
        for member in stage.scene.crew.members:
            await member.store.heal()
        stage.mended()
    await stage.paid_once()
    peak = stage.scene.simulator.limits.peak("default", "deepseek-flash")
    stage.note("calls at once", peak)
    stage.must(0 < peak <= 12, f"at most 12 calls at once, not {peak}")
