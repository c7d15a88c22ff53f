"""`make alerts`: makes every fault, and says which alerts fired, after how long, and which should not have.

It needs a Docker engine and compose. A name, or a part of one, plays only the faults of that alert.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import _pytest.outcomes
import httpx

from alerts.fault import Fault
from alerts.faults import FAULTS
from alerts.hurried import TIMES
from alerts.of_parts import workers_back
from alerts.stage import Stage, a_stage, seconds_until, until_silent
from fleet_cli.stack.errors import StackError

SILENCE_S = 150.0
"""The longest window is an hour, which is a minute here, and mending takes its time."""


def main() -> int:
    """0 if every alert fired under its fault, and none without one."""
    for talkative in ("aio_pika", "aiormq", "asyncio", "httpx"):  # they tell of every lost connection
        logging.getLogger(talkative).setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser(prog="make alerts", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of alerts' names; all where there is none")
    names: list[str] = parser.parse_args().names
    chosen = [
        fault
        for fault in FAULTS
        if not names or any(name.lower() in alert.lower() for name in names for alert in fault.alerts)
    ]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DEEPSEEK_")}  # noqa: TID251 - the edge
    try:
        return int(not asyncio.run(_played(chosen, environ)))
    except _pytest.outcomes.Skipped as why:
        sys.stderr.write(f"{why}\n")
        return 2


async def _played(chosen: list[Fault], environ: Mapping[str, str]) -> bool:
    with tempfile.TemporaryDirectory(prefix="deepseek-fleet-alerts-") as folder:
        async with a_stage(environ, Path(folder)) as stage:
            still = await until_silent(stage, SILENCE_S)
            _say(f"a fleet that is well: {', '.join(sorted(still)) or 'silence'}")
            _say(f"one second stands for {TIMES}\n")
            _say("| fault | alert | fired after | beside it | silent again after |")
            _say("|---|---|---|---|---|")
            held = [await _one(stage, fault) for fault in chosen]
    return all(held) and not still


async def _one(stage: Stage, fault: Fault) -> bool:
    began = time.monotonic()
    fired, beside = dict[str, float](), set[str]()
    try:
        async with fault.made(stage):
            fired, beside = await seconds_until(stage, set(fault.alerts), fault.within_s)
    except (StackError, httpx.HTTPError, OSError) as why:
        _say(f"{fault.what}: it could not be made or mended: {why}")
        await stage.heal()
        await workers_back(stage)
    mended = time.monotonic()
    still = await until_silent(stage, SILENCE_S)
    over = f"{time.monotonic() - mended:.0f} s" if not still else f"NOT: {', '.join(sorted(still))}"
    for alert in fault.alerts:
        after = f"{fired[alert]:.0f} s" if alert in fired else f"NOT within {mended - began:.0f} s"
        _say(f"| {fault.what} | `{alert}` | {after} | {', '.join(sorted(beside))} | {over} |")
    return not still and set(fault.alerts) <= fired.keys()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
