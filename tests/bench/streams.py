"""Runs streams through a target, and says what each delta cost and how late it was."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.processes import cpu_s
from bench.stage import Stage, Target

PERIOD_MS = 50
WARM_S = 0.5
START_S = 20.0
SHORT_START_S = 5.0
LATE_UPSTREAM_US = 20_000


Beside = Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class StreamRun:
    """One window."""

    target: str
    streams: int
    seconds: float = 0.0
    offered: int = 0
    deltas: int = 0
    messages: int = 0
    worker_s: float = 0.0
    broker_s: float = 0.0
    upstream_s: float = 0.0
    caller_s: float = 0.0
    resident: int = 0
    late_ms: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    upstream_late_ms: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    doubts: list[str] = field(default_factory=list[str])

    @property
    def worker_us(self) -> float:
        return self.worker_s / max(1, self.deltas) * 1e6

    @property
    def broker_us(self) -> float:
        return self.broker_s / max(1, self.deltas) * 1e6

    @property
    def per_s(self) -> float:
        return self.deltas / self.seconds

    def line(self) -> str:
        shares = " ".join(
            f"{name} {spent / self.seconds:.0%}"
            for name, spent in (
                *(("worker", self.worker_s), ("broker", self.broker_s)),
                *(("upstream", self.upstream_s), ("caller", self.caller_s)),
            )
        )
        return (
            f"  {self.target:<8} {self.worker_us:6.1f} us a delta, broker {self.broker_us:5.1f} us, "
            f"{self.per_s:6.0f} of {self.offered / self.seconds:6.0f}/s, "
            f"{self.deltas / max(1, self.messages):5.2f} a message, "
            f"p50/p99 {self.late_ms[0]:.1f}/{self.late_ms[1]:.1f} ms; {shares}"
        )


async def stream_through(  # noqa: PLR0913 - each of them is said at the call
    stage: Stage,
    target: Target,
    streams: int,
    seconds: float,
    *,
    period_ms: int = PERIOD_MS,
    heard: int | None = None,
    ends: bool = True,
    beside: Beside | None = None,
) -> StreamRun:
    """Ask for `streams` streams, measure a window in which all of them run, and see them to their end.

    Args:
        stage: Where.
        target: Who answers.
        streams: How many are asked for.
        seconds: How long the window is.
        period_ms: Milliseconds between two deltas of a stream.
        heard: How many are waited for, where not all of them can run at once.
        ends: False for a target that can't carry them: seeing them to their end would take minutes.
        beside: Run beside the window.
    """
    run = StreamRun(target.name, streams)
    running = heard or streams
    await stage.caller.do("forget")
    await stage.ask(target, streams, rate=max(200, streams), period_ms=period_ms, stream=True)
    await _begun(stage, running, START_S if ends or heard else SHORT_START_S)
    await asyncio.sleep(WARM_S)
    beside_task = asyncio.ensure_future(beside(target.worker.pid)) if beside else None
    await _window(stage, target, run, seconds, ends=ends)
    run.offered = int(running * 1000 / period_ms * run.seconds)
    if beside_task is not None:
        await beside_task
    if ends:
        await stage.upstream.end()
        await _see_to_the_end(stage, run, streams)
    return run


async def _begun(stage: Stage, streams: int, patience_s: float) -> None:
    """Wait until so many streams are heard; a worker that can't carry them all never gets there."""
    until = asyncio.get_running_loop().time() + patience_s
    while (await stage.caller.do("report"))["streams"] < streams:
        if asyncio.get_running_loop().time() > until:
            return
        await asyncio.sleep(0.1)


async def _window(stage: Stage, target: Target, run: StreamRun, seconds: float, *, ends: bool) -> None:
    loop = asyncio.get_running_loop()
    pids = (target.worker.pid, stage.broker_pid, stage.upstream.process.pid, stage.caller.process.pid)
    before = await stage.caller.do("report")
    await stage.upstream.stats()
    cpus, began = [cpu_s(pid) for pid in pids], loop.time()
    await asyncio.sleep(seconds)
    run.seconds = loop.time() - began
    spent = [cpu_s(pid) - cpu for pid, cpu in zip(pids, cpus, strict=True)]
    run.worker_s, run.broker_s, run.upstream_s, run.caller_s = spent
    after, sent = await stage.caller.do("report"), await stage.upstream.stats()
    run.resident = target.worker.resident_bytes
    run.deltas = after["deltas"] - before["deltas"]
    run.messages = after["messages"] - before["messages"]
    run.late_ms = [value / 1000 for value in after["late_us"]]
    run.upstream_late_ms = [value / 1000 for value in sent["late_us"]]
    if run.deltas == 0:
        run.doubts.append("nothing was heard")
    if ends and sent["late_us"][1] > LATE_UPSTREAM_US:
        run.doubts.append(
            f"the upstream was {sent['late_us'][1] / 1000:.0f} ms late (p99): the machine is too busy"
        )
    if max(run.upstream_s, run.caller_s) > 0.9 * run.seconds:
        run.doubts.append("the generator was at its limit: its figures are the generator's, not the worker's")


async def _see_to_the_end(stage: Stage, run: StreamRun, streams: int) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + START_S
    while (report := await stage.caller.do("report"))["results"] + report["failures"] < streams:
        if loop.time() > until:
            break
        await asyncio.sleep(0.1)
    run.doubts += report["wrong"]
    if report["results"] != streams:
        run.doubts.append(f"{report['results']} of {streams} results came")
    elif report["whole"] != (sent := (await stage.upstream.stats())["whole"]):
        run.doubts.append(f"{report['whole']} of {sent} deltas came")
