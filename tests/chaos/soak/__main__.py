"""`make soak`: lets a fleet breathe from one worker to eight and back under random faults, for hours.

It fails if a promise was broken, or if memory, descriptors, keys or channels have grown from rest to rest.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path

from chaos.report import lines
from chaos.soak.breaths import Soak, soak
from chaos.soak.flat import growth
from chaos.soak.looks import BOUNDS

TALKATIVE = ("aio_pika", "aiormq", "asyncio")
OPTIONS = {
    "minutes": (float, "how long it lasts; no breath begins later"),
    "breath_s": (float, "seconds in which the fleet grows, stays and shrinks under load"),
    "rate": (float, "requests a second"),
    "most": (int, "workers at the height of a breath"),
    "troubles": (int, "random faults in each breath"),
    "seed": (int, "where chance starts"),
}


def main() -> int:
    """0 if every promise was kept and nothing grew."""
    for name in TALKATIVE:  # they tell of every lost connection
        logging.getLogger(name).setLevel(logging.CRITICAL)
    told = Soak(**vars(_parser().parse_args()))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DEEPSEEK_")}  # noqa: TID251 - the edge
    folder = Path(tempfile.mkdtemp(prefix="deepseek-fleet-soak-"))
    _row(["breath", *BOUNDS])
    _row(["---"] * (len(BOUNDS) + 1))
    report, broken, seen = asyncio.run(soak(told, environ, folder, print, _tell))
    grown = growth(seen, BOUNDS)
    sys.stdout.write("\n".join([*lines(report, broken), *(f"GROWS {each}" for each in grown)]) + "\n")
    sys.stdout.write(f"{'something grows' if grown else 'nothing grows'} in {len(seen)} breaths\n")
    return int(bool(report.violations or grown))


def _tell(breath: int, seen: dict[str, float]) -> None:
    _row([str(breath), *(f"{figure:.0f}" for figure in seen.values())])


def _row(cells: list[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    standard = Soak()
    for name, (kind, meaning) in OPTIONS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=getattr(standard, name), help=meaning)
    return parser


if __name__ == "__main__":
    sys.exit(main())
