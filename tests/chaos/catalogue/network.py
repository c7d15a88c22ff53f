"""Faults of the network: connections that break, that are cut and nobody is told, that are far and narrow."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from chaos.asks import ask
from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage
from chaos.plan import Trouble
from harness.proxy import Proxy, Way, a_proxy_before
from harness.waiting import until


async def _channels(stage: Stage) -> int:
    return len((await stage.scene.broker.ctl("list_channels", "pid")).splitlines())


@entry(
    14,
    "all connections of the workers to the broker reset every 3 s",
    "calls go on: each is paid once; no channel is left over",
)
async def resets(stage: Stage) -> None:
    before = await _channels(stage)
    async with stage.load():
        for _ in range(4):
            await asyncio.sleep(3)
            await stage.trouble(Trouble.RESET)
    await stage.paid_once()
    async with asyncio.timeout(30):
        while (left := await _channels(stage)) > before:  # noqa: ASYNC110 - a broker can only be asked
            await asyncio.sleep(1)
    stage.note("channels", f"{left}, {before} before")


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


@entry(
    41,
    "the upstream falls silent in mid-answer: the socket stays open, and nothing comes",
    "the clock between two pieces of text rings; each request has a result all the same",
    workers=0,
    settings={"FLEET_CONTENT_GAP_TIMEOUT_S": "3"},
)
async def half_open_upstream(stage: Stage) -> None:
    async with _upstream_behind_a_proxy(stage) as upstream:
        async with stage.load():
            await asyncio.sleep(5)
            upstream.blackhole(Way.DOWN)
            cut_at = stage.now()
            await asyncio.sleep(6)
            upstream.reset()
            await upstream.heal()
            stage.mended()
        await stage.caller.until_answered(90)
        rung = [event for event in stage.seen("restarted") if event.at > cut_at]
        stage.must(bool(rung), "streams were cut: else nothing was tried")
        stage.must(
            {event.fields["reason"] for event in rung} <= {"upstream_timeout", "upstream_interrupted"},
            f"streams begin anew for the clock's sake, not {[event.fields['reason'] for event in rung]}",
        )
        report = await stage.report()
        stage.must(report.results == report.requests, f"{report.results} results of {report.requests}")


@entry(
    45,
    "no TLS handshake, a name that is unknown, a name server that is silent, a name that moves",
    "the clock for connecting rings, other requests go on, and a new address is found",
    workers=0,
    settings={
        "FLEET_CONNECT_TIMEOUT_S": "2",
        "FLEET_RETRY_BASE_S": "1",
        "FLEET_RETRY_LONGEST_S": "2",
        "FLEET_BREAKER_MIN_CALLS": "1000",
    },
)
async def names_and_handshakes(stage: Stage) -> None:
    async with _a_mute_server() as mute:
        crew, names = stage.scene.crew, stage.folder / "names"
        base = stage.scene.simulator.base_url
        crew.odd = {"NAMES": str(names)}
        names.write_text("")
        await _fails_in(stage, "tls", f"https://127.0.0.1:{mute}", 16)
        await _fails_in(stage, "unknown", base.replace("127.0.0.1", "localhost"), 10)
        names.write_text("slow")
        await _fails_in(stage, "silent", base.replace("127.0.0.1", "localhost"), 16)
        names.write_text("127.0.0.2")  # nobody listens there
        await crew.start(DEEPSEEK_BASE_URL=base.replace("127.0.0.1", "localhost"))
        await stage.caller.ask("moves", ask(4))
        await asyncio.sleep(0.1)
        names.write_text("127.0.0.1")
        stage.mended()
        await until(lambda: "moves" in stage.caller.heard, deadline_s=30)
        kind = stage.caller.heard["moves"][0]["kind"]
        stage.must(kind == "result", f"a name that moved is found, not a {kind}")
        # It stays: somebody must put away what a worker left that had to be ended by force.


async def _fails_in(stage: Stage, request: str, base_url: str, within_s: float) -> None:
    member = await stage.scene.crew.start(DEEPSEEK_BASE_URL=base_url)
    began = stage.now()
    await stage.caller.ask(request, ask(1))
    with suppress(TimeoutError):
        await until(lambda: request in stage.caller.heard, deadline_s=30)
    stage.note(request, f"{stage.now() - began:.1f} s")
    end = stage.caller.heard.get(request, [{}])[0]
    codes = ("upstream_unavailable", "upstream_timeout")
    stage.must(end.get("code") in codes, f"{request}: the upstream is blamed, not {end.get('code')}")
    stage.must(stage.now() - began < within_s, f"{request}: told within {within_s} s")
    await stage.scene.crew.lose(member, grace_s=10)


@asynccontextmanager
async def _upstream_behind_a_proxy(stage: Stage) -> AsyncGenerator[Proxy]:
    base = stage.scene.simulator.base_url
    async with a_proxy_before(base) as proxy:
        for _ in range(2):
            await stage.scene.crew.start(DEEPSEEK_BASE_URL=proxy.before(base))
        yield proxy


@asynccontextmanager
async def _a_mute_server() -> AsyncGenerator[int]:
    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
