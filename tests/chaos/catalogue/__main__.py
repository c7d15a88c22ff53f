"""`make chaos-all`: plays every fault of the catalogue, one after the other, and ends with a table.

What was played with this very code is not played again: a run that was broken off goes on where it was.
Names play these entries alone, and anew.
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

from chaos.broken_steps import Step
from chaos.catalogue.entry import Entry, Outcome, OutError, Verdict
from chaos.catalogue.every import ENTRIES
from chaos.catalogue.results import Results
from chaos.catalogue.stage import Load, perform
from chaos.catalogue.table import figures, page, table
from harness.rabbitmq import chosen_generation

MOST_S = 400.0


def main() -> int:
    """0 if everything that was played has held."""
    for talkative in ("aio_pika", "aiormq", "asyncio"):  # they tell of every lost connection
        logging.getLogger(talkative).setLevel(logging.CRITICAL)
    given = _parser().parse_args()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DEEPSEEK_")}  # noqa: TID251 - the edge
    results = Results(chosen_generation(environ))
    wanted = [entry for entry in ENTRIES if not given.names or entry.name in given.names]
    load = Load(given.rate, given.seconds, given.seed, given.step or "")
    played: dict[str, Outcome] = {}
    for entry in [] if given.table or given.page else wanted:
        if given.names or given.again or results.of(entry) is None:
            played[entry.name] = outcome = asyncio.run(_played(entry, load, environ))
            if not given.step:
                results.keep(entry, outcome)
    if given.page:
        sys.stdout.write("\n".join(page([(entry, results.latest(entry)) for entry in wanted])) + "\n")
        return 0
    rows = [(entry, played.get(entry.name) or results.of(entry)) for entry in wanted]
    sys.stdout.write("\n".join(table(rows)) + "\n")
    return int(any(outcome is not None and outcome.verdict is Verdict.BROKEN for _, outcome in rows))


async def _played(entry: Entry, load: Load, environ: Mapping[str, str]) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix=f"deepseek-fleet-{entry.name}-"))
    sys.stdout.write(f"{entry.number:>2} {entry.name}: {entry.fault} … ")
    sys.stdout.flush()
    began = time.monotonic()
    try:
        async with asyncio.timeout(MOST_S):
            outcome = await perform(entry, load, environ, folder)
    except OutError as why:
        outcome = Outcome(Verdict.OUT, [str(why)])
    except Exception as error:  # noqa: BLE001 - the others are to be played all the same
        complaints = [f"it could not be played to its end: {_told(error)}"]
        outcome = Outcome(Verdict.BROKEN, complaints, took_s=time.monotonic() - began)
    sys.stdout.write(f"{outcome.verdict} ({figures(outcome)})\n")
    for complaint in outcome.complaints:
        sys.stdout.write(f"   {complaint}; see {folder}\n")
    sys.stdout.flush()
    return outcome


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(each) for each in error.exceptions)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType, reportUnknownVariableType]
    return f"{type(error).__name__}: {error}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make chaos-all",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="play these alone, whatever is known of them"
    )
    parser.add_argument("--rate", type=float, default=Load.rate, help="requests a second")
    parser.add_argument("--seconds", type=float, default=Load.seconds, help="how long requests are made")
    parser.add_argument("--seed", type=int, default=Load.seed, help="where chance starts")
    parser.add_argument(
        "--break",
        dest="step",
        choices=[step.value for step in Step],
        help="let every worker do this step of the protocol wrong: an entry that it matters to must say so",
    )
    parser.add_argument("--again", action="store_true", help="play what was played already, too")
    parser.add_argument("--table", action="store_true", help="play nothing, show what is known")
    parser.add_argument("--page", action="store_true", help="print the catalogue as it stands in README.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
