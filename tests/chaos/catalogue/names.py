"""Faults of the way to the upstream: it falls silent, shakes no hands, its name is unknown or moves."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from chaos.asks import ask
from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage
from harness.proxy import Proxy, Way, a_proxy_before
from harness.waiting import until


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
