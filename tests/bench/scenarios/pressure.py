"""Streams that are silent, and more streams than a worker may carry."""

import asyncio

from bench.figures import Figures
from bench.report import Report
from bench.stage import Ground, Stage, Target, a_stage
from bench.streams import stream_through

IDLE = 1000
ADMITTED, OFFERED = 400, 1000
SILENCE_MS = 120_000
BEGIN_S = 30.0


async def idle(ground: Ground, report: Report, figures: Figures) -> None:
    """Long streams with one delta each: what an open stream takes of the worker's memory."""
    report.heading(f"{IDLE} idle streams")
    async with a_stage(ground) as stage:
        target = await stage.fleet()
        await _open(stage, target, 50, 50)
        before = target.worker.resident_bytes
        await _open(stage, target, IDLE, IDLE)
        await asyncio.sleep(1.0)
        grown = (target.worker.resident_bytes - before) / IDLE / 1024
        cpu = target.worker.cpu_s
        await asyncio.sleep(2.0)
        busy = (target.worker.cpu_s - cpu) / 2.0
        alone = await stage.caller.do("report")
    if alone["wrong"] or alone["streams"] < IDLE:
        figures.doubt("idle", *(alone["wrong"] or [f"{alone['streams']} of {IDLE} streams began"]))
        report.line(f"no figures: {figures.doubts['idle']}")
        return
    figures.found["idle.kib_a_stream"] = grown
    figures.found["idle.cpu_share"] = busy
    report.line(f"{grown:.1f} KiB a stream, {busy:.1%} of a core")


async def _open(stage: Stage, target: Target, count: int, rate: int) -> None:
    await stage.caller.do("forget")
    await stage.ask(target, count, rate=rate, deltas=2, period_ms=SILENCE_MS, stream=True)
    until = asyncio.get_running_loop().time() + BEGIN_S
    while (await stage.caller.do("report"))["streams"] < count:
        if asyncio.get_running_loop().time() > until:
            return
        await asyncio.sleep(0.05)


async def overload(ground: Ground, report: Report, figures: Figures) -> None:
    """2.5 times the streams that the worker may carry: those that run are as punctual as alone."""
    report.heading(f"{OFFERED} streams for a worker that carries {ADMITTED}")
    async with a_stage(ground) as stage:
        target = await stage.fleet(FLEET_CONCURRENCY=str(ADMITTED))
        alone = await stream_through(stage, target, ADMITTED, ground.seconds)
        depths: list[int] = []

        async def look(_: int) -> None:
            await asyncio.sleep(ground.seconds / 2)
            depths.append(int((await stage.caller.do("depth", queue=target.queue))["depth"]))

        crowded = await stream_through(
            stage, target, OFFERED, ground.seconds, heard=ADMITTED, ends=False, beside=look
        )
        most = (await stage.upstream.stats())["running"]
    for run in (alone, crowded):
        if run.doubts:
            figures.doubt("overload", *run.doubts)
    if "overload" in figures.doubts:
        report.line(f"no figures: {'; '.join(figures.doubts['overload'])}")
        return
    figures.found["overload.alone_p99_ms"] = alone.late_ms[1]
    figures.found["overload.p99_ms"] = crowded.late_ms[1]
    figures.found["overload.running"] = most
    figures.found["overload.waiting"] = depths[-1]
    report.line(
        f"p99 {crowded.late_ms[1]:.1f} ms beside {alone.late_ms[1]:.1f} ms alone; {most} ran, "
        f"{depths[-1]} waited in RabbitMQ"
    )
