"""`make bench`: every figure that is promised, measured in one run on one machine, ratios first.

Run: `PYTHONPATH=tests .venv/bin/python -m bench [--only 500,short] [--profile]`
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.figures import Figures
from bench.goals import Goal, goals_of
from bench.plots import draw
from bench.profile import profile
from bench.report import Report, as_markdown
from bench.scenarios import short_calls, streaming
from bench.scenarios.pressure import idle, overload
from bench.stage import Ground, a_ground, private
from harness.broker import SharedBroker, shared_broker
from harness.store import a_store

SCENARIOS = {
    "start": short_calls.start,
    "500": streaming.many,
    "100": streaming.a_few,
    "1000": streaming.a_thousand,
    "2500": streaming.thousands,
    "short": short_calls.short,
    "dispatch": short_calls.dispatch,
    "idle": idle,
    "overload": overload,
    "backlog": short_calls.backlog,
}
LITELLM = "LiteLLM's proxy: not run (it holds no queue, and takes longer to start than a scenario lasts)"


def _plan() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what is promised.")
    parser.add_argument("--only", default="", help=f"some of {','.join(SCENARIOS)}")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measured window")
    parser.add_argument("--out", type=Path, default=Path("bench"), help="folder for bench.json and plots")
    parser.add_argument("--profile", action="store_true", help="draw a flame graph of a worker instead")
    return parser.parse_args()


async def measure(ground: Ground, report: Report, names: list[str]) -> Figures:
    """All figures of these scenarios; one that breaks off does not keep the others from being measured."""
    figures = Figures()
    for name in names:
        began = time.monotonic()
        try:
            await SCENARIOS[name](ground, report, figures)
        except Exception as error:  # noqa: BLE001 - it is told, and its goals do not hold
            figures.doubt(name, f"{type(error).__name__}: {error}")
            report.line(f"no figures: {type(error).__name__}: {error}")
        figures.took_s[name] = round(time.monotonic() - began, 1)
    return figures


def _write(folder: Path, figures: Figures, goals: list[Goal], machine: dict[str, Any]) -> None:
    document = {
        "machine": machine,
        "goals": [asdict(goal) for goal in goals],
        "figures": figures.found,
        "doubts": figures.doubts,
        "took_s": figures.took_s,
        "skipped": [LITELLM],
    }
    (folder / "bench.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    (folder / "bench.md").write_text(as_markdown(goals, machine))


def _machine(broker: SharedBroker) -> dict[str, Any]:
    """On what, and when: figures of two machines, or of a busy one, say nothing beside each other."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "rabbitmq": str(broker.version),
    }


async def main() -> int:
    plan, report, environ = _plan(), Report(), private()
    names = [name for name in plan.only.split(",") if name] or list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        report.line(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
        return 2
    plan.out.mkdir(parents=True, exist_ok=True)
    with shared_broker(environ) as broker, tempfile.TemporaryDirectory() as logs:
        async with (
            a_store(environ) as store,
            a_ground(broker, store.url, Path(logs), plan.seconds) as ground,
        ):
            if plan.profile:
                return await profile(ground, report, plan.out)
            machine = _machine(broker)
            figures = await measure(ground, report, names)
    goals = goals_of(figures, names)
    _write(plan.out, figures, goals, machine)
    drawn = draw(figures, plan.out)
    report.goals(goals)
    report.line(f"\n{LITELLM}\n{plan.out / 'bench.json'} {' '.join(map(str, drawn))}")
    return 0 if all(goal.holds for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
