"""Paced streams, ours beside the baselines, in turns: no machine is equally busy for long."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bench.figures import Figures, median_of
from bench.report import Report
from bench.stage import Ground, Stage, Target, a_stage
from bench.streams import StreamRun, stream_through

RUNS = 3
FLEET, PLAIN, SDK, CEILING = "fleet", "plain", "sdk", "ceiling"
SATURATED = frozenset({(PLAIN, 500), (SDK, 500), (SDK, 100)})
"""What can't be carried is stopped after its window: it would take minutes to end."""


async def a_few(ground: Ground, report: Report, figures: Figures) -> None:
    """100 streams."""
    await _compare(ground, report, figures, 100, (FLEET, PLAIN, CEILING))


async def many(ground: Ground, report: Report, figures: Figures) -> None:
    """500 streams."""
    await _compare(ground, report, figures, 500, (FLEET, PLAIN, SDK, CEILING))


async def a_thousand(ground: Ground, report: Report, figures: Figures) -> None:
    """1,000 streams."""
    await _compare(ground, report, figures, 1000, (FLEET, CEILING))


async def thousands(ground: Ground, report: Report, figures: Figures) -> None:
    """2,500 streams, at the pace that two cores shared with broker and generator carry."""
    await _compare(ground, report, figures, 2500, (FLEET,), period_ms=250)


async def _compare(
    ground: Ground,
    report: Report,
    figures: Figures,
    streams: int,
    names: tuple[str, ...],
    period_ms: int = 50,
) -> None:
    runs: dict[str, list[StreamRun]] = {name: [] for name in names}
    async with a_stage(ground) as stage:
        kept = {name: await _start(stage, name) for name in names if (name, streams) not in SATURATED}
        for _ in range(RUNS):
            for name in names:
                if target := kept.get(name):
                    run = await stream_through(stage, target, streams, ground.seconds, period_ms=period_ms)
                else:
                    async with _for_once(ground, name) as (alone, target):
                        run = await stream_through(
                            alone, target, streams, ground.seconds, period_ms=period_ms, ends=False
                        )
                runs[name].append(run)
    report.heading(f"{streams} streams, a delta every {period_ms} ms")
    for name, found in runs.items():
        _keep(report, figures, f"{streams}.{name}", found, f"{streams}")


def _keep(report: Report, figures: Figures, key: str, runs: list[StreamRun], scenario: str) -> None:
    name = runs[0].target
    for run in runs:
        if run.doubts:
            report.line(f"{name}: no figures of a run: {'; '.join(run.doubts)}")
    good = [run for run in runs if not run.doubts]
    if not good:
        figures.doubt(scenario, f"{name}: {runs[-1].doubts[0]}")
        return
    report.line(sorted(good, key=lambda run: run.worker_us)[len(good) // 2].line())
    figures.found[f"{key}.worker_us"] = median_of(good, lambda run: run.worker_us)
    figures.found[f"{key}.broker_us"] = median_of(good, lambda run: run.broker_us)
    figures.found[f"{key}.per_s"] = max(run.per_s for run in good)
    figures.found[f"{key}.share"] = median_of(good, lambda run: run.deltas / run.offered)
    for at, which in enumerate(("p50_ms", "p99_ms")):
        figures.found[f"{key}.{which}"] = median_of(good, lambda run, at=at: run.late_ms[at])
    figures.found[f"{key}.joined"] = median_of(good, lambda run: run.deltas / max(1, run.messages))


async def _start(stage: Stage, name: str) -> Target:
    return await stage.fleet() if name == FLEET else await stage.baseline(name)


@asynccontextmanager
async def _for_once(ground: Ground, name: str) -> AsyncGenerator[tuple[Stage, Target]]:
    async with a_stage(ground) as alone:
        yield alone, await _start(alone, name)
        await asyncio.sleep(0)
