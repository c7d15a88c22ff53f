"""`make chaos`: breaks a fleet under load, says what became of every request, fails if a promise broke."""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path

from chaos.broken_steps import Step
from chaos.plan import Plan
from chaos.report import lines
from chaos.run import run, try_out

COUNTS = {
    "broker_restarts": "clean restarts of the broker",
    "store_restarts": "kills of the store, each with a restart",
    "resets": "resets of all broker connections",
    "blackholes": "workers cut off from the broker for 10 s",
    "delays": "workers 0.2 s away from the broker for 10 s",
    "store_resets": "resets of one worker's store connections",
    "store_blackholes": "workers cut off from the store for 10 s",
    "stops": "workers that stand still for 8 s",
    "cancel_every": "one request in so many is cancelled; 0 for none",
    "repeat_every": "one request in so many is published twice; 0 for none",
}
SHARES = {
    "refused": "share of the upstream calls that get a 503",
    "cut": "share of the upstream calls that are reset in mid-answer",
}


def main() -> int:
    """0 if every promise was kept."""
    for talkative in ("aio_pika", "aiormq", "asyncio"):  # they tell of every lost connection
        logging.getLogger(talkative).setLevel(logging.CRITICAL)
    given = vars(_parser().parse_args())
    step = given.pop("step")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DEEPSEEK_")}  # noqa: TID251 - the edge
    folder = Path(tempfile.mkdtemp(prefix="deepseek-fleet-chaos-"))
    if step:
        report, told = asyncio.run(try_out(Step(step), environ, folder, print)), [f"on purpose: {step}"]
    else:
        report, told = asyncio.run(run(Plan(**given), environ, folder, print))
    sys.stdout.write("\n".join(lines(report, told)) + "\n")
    return 1 if report.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make chaos ARGS=…",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=Plan.requests, help="how many are asked")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="requests a second")
    parser.add_argument(
        "--kill-every",
        dest="kill_every_s",
        type=float,
        default=Plan.kill_every_s,
        help="seconds from one kill -9 of a worker to the next; 0 for none",
    )
    for name, meaning in COUNTS.items():
        parser.add_argument(_flag(name), type=int, default=getattr(Plan, name), help=meaning)
    for name, meaning in SHARES.items():
        parser.add_argument(_flag(name), type=float, default=getattr(Plan, name), help=meaning)
    parser.add_argument(
        "--break",
        dest="step",
        choices=[step.value for step in Step],
        help="break this step of the protocol in one worker, and show with one request that it is found out",
    )
    parser.add_argument("--seed", type=int, default=Plan.seed, help="where chance starts")
    return parser


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


if __name__ == "__main__":
    sys.exit(main())
