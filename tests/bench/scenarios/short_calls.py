"""Calls that are not streamed: what one costs, how soon it is on its way, what a long queue does to it."""

import asyncio
import sys
from pathlib import Path

from bench.figures import Figures, median_of
from bench.processes import module, running, tree_cpu_s
from bench.report import Report
from bench.stage import Ground, Stage, Target, a_stage

RUNS = 3
CALLS = 1500
RATE = 300
RATE_S = 4.0
BACKLOG = 100_000
BACKLOG_S = 5.0
PATIENCE_S = 60.0


async def short(ground: Ground, report: Report, figures: Figures) -> None:
    """1,500 calls at once, with every promise on; Celery and taskiq do as many tasks that do nothing."""
    report.heading(f"{CALLS} short calls")
    async with a_stage(ground) as stage:
        target = await stage.fleet(FLEET_CONCURRENCY="200")
        await _calls(stage, target, 200)
        spent = [await _calls(stage, target, CALLS) for _ in range(RUNS)]
    figures.found["short.us"] = median_of(spent, lambda run: run[0])
    figures.found["short.per_core"] = 1e6 / figures.found["short.us"]
    report.line(
        f"fleet    {figures.found['short.us']:6.0f} us of the worker a call, {spent[-1][1]:5.0f} calls/s"
    )
    for peer in ("celery", "taskiq"):
        try:
            await _peer(ground, report, figures, peer)
        except (OSError, RuntimeError, TimeoutError) as error:
            figures.doubt("short", f"{peer}: {error}")
            report.line(f"{peer}: no figures: {error}")


async def _calls(stage: Stage, target: Target, count: int) -> tuple[float, float]:
    """CPU us of the worker for each call, and calls a second."""
    loop = asyncio.get_running_loop()
    await stage.caller.do("forget")
    cpu, began = target.worker.cpu_s, loop.time()
    await stage.ask(target, count, rate=0)
    await _answered(stage, count)
    return (target.worker.cpu_s - cpu) / count * 1e6, count / (loop.time() - began)


async def _answered(stage: Stage, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (report := await stage.caller.do("report"))["results"] < count:
            if report["wrong"]:
                raise RuntimeError(f"a call failed: {report['wrong'][0]}")
            await asyncio.sleep(0.02)


async def _peer(ground: Ground, report: Report, figures: Figures, peer: str) -> None:
    commands = {
        "celery": ("celery", "-A", "bench.baselines.celery_app", "worker", "-c", "1", "-l", "info", "-E"),
        "taskiq": ("taskiq", "worker", "bench.baselines.taskiq_app:broker", "--workers", "1"),
    }
    tool, *arguments = commands[peer]
    program = Path(sys.executable).parent / tool
    if not program.exists():
        raise RuntimeError("not installed: run it by `make bench`")
    async with a_stage(ground) as stage:
        environ = {"BENCH_AMQP_URL": stage.amqp_url, "BENCH_REDIS_URL": stage.redis_url}
        async with running(
            peer, str(program), *arguments, logs=ground.logs, environ=environ, says_nothing=True
        ) as worker:
            costs: list[float] = []
            seconds = 0.0
            # The first one waits for the worker.
            for count in (100, *[CALLS] * RUNS):
                cpu = tree_cpu_s(worker.pid)
                asks = module(f"bench.baselines.{peer}_app", str(count))
                async with running(f"{peer}-asks", *asks, logs=ground.logs, environ=environ) as asking:
                    seconds = float(asking.said.split()[-1])
                costs.append((tree_cpu_s(worker.pid) - cpu) / count * 1e6)
    us = median_of(costs[1:], float)
    figures.found[f"short.{peer}.us"], figures.found[f"short.{peer}.per_core"] = us, 1e6 / us
    report.line(f"{peer:<8} {us:6.0f} us of its worker's processes a task, {CALLS / seconds:5.0f} tasks/s")


async def dispatch(ground: Ground, report: Report, figures: Figures) -> None:
    """300 calls a second: from the publish to the request's arrival at the upstream."""
    report.heading(f"{RATE} short calls a second")
    async with a_stage(ground) as stage:
        target = await stage.fleet(FLEET_CONCURRENCY="200")
        await _calls(stage, target, 200)
        found: list[list[int]] = []
        for _ in range(RUNS):
            await stage.caller.do("forget")
            await stage.upstream.stats()
            await stage.ask(target, int(RATE * RATE_S), rate=RATE)
            await _answered(stage, int(RATE * RATE_S))
            found.append((await stage.upstream.stats())["dispatch_us"])
    figures.found["dispatch.p50_ms"] = median_of(found, lambda run: run[0]) / 1000
    figures.found["dispatch.p99_ms"] = median_of(found, lambda run: run[1]) / 1000
    report.line(
        f"from publish to upstream p50 {figures.found['dispatch.p50_ms']:.1f} ms, "
        f"p99 {figures.found['dispatch.p99_ms']:.1f} ms"
    )


async def backlog(ground: Ground, report: Report, figures: Figures) -> None:
    """100,000 requests wait: how fast they are worked off, beside a short queue, and in how much memory."""
    report.heading(f"{BACKLOG:,} requests in the queue")
    async with a_stage(ground) as stage:
        target = await stage.fleet(FLEET_CONCURRENCY="200")
        await _calls(stage, target, 200)
        brief = await _calls(stage, target, 3 * CALLS)
        await stage.caller.do("forget")
        before = target.worker.resident_bytes
        await stage.ask(target, BACKLOG, rate=0)
        depth = await _depth(stage, target)
        loop = asyncio.get_running_loop()
        done, cpu, began = (await stage.caller.do("report"))["results"], target.worker.cpu_s, loop.time()
        await asyncio.sleep(BACKLOG_S)
        calls = (await stage.caller.do("report"))["results"] - done
        took, spent = loop.time() - began, target.worker.cpu_s - cpu
        grown = target.worker.resident_bytes - before
    if depth < BACKLOG // 2:
        figures.doubt("backlog", f"only {depth} requests waited")
        return
    figures.found["backlog.grown_mib"] = grown / 2**20
    figures.found["backlog.cpu_ratio"] = spent / max(1, calls) * 1e6 / brief[0]
    figures.found["backlog.rate_ratio"] = calls / took / brief[1]
    report.line(
        f"{depth:,} waited: {calls / took:.0f} calls/s beside {brief[1]:.0f} with a short queue "
        f"(CPU a call x {figures.found['backlog.cpu_ratio']:.2f}); the worker grew by {grown / 2**20:.1f} MiB"
    )


async def _depth(stage: Stage, target: Target) -> int:
    return int((await stage.caller.do("depth", queue=target.queue))["depth"])


async def start(ground: Ground, report: Report, figures: Figures) -> None:
    """From `fleet worker` to its line that it is ready."""
    report.heading("start")
    async with a_stage(ground) as stage:
        took: list[tuple[float, float]] = []
        for number in range(RUNS):
            async with stage.a_worker(f"start-{number}") as worker:
                took.append((worker.took_s, worker.cpu_s))
    figures.found["start.s"] = median_of(took, lambda run: run[0])
    figures.found["start.cpu_s"] = median_of(took, lambda run: run[1])
    report.line(f"ready after {figures.found['start.s']:.2f} s ({figures.found['start.cpu_s']:.2f} s of CPU)")
