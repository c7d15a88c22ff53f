"""`make chaos-all`: plays every fault of the catalogue, one after the other, and ends with a table.

What was played with this very code is not played again: a run that was broken off goes on where it was.
Names play these entries alone, and anew.
"""

import argparse
import asyncio
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.broken_steps import Step
from chaos.catalogue.alone import ask_for
from chaos.catalogue.entry import Entry, Outcome, Verdict
from chaos.catalogue.every import ENTRIES
from chaos.catalogue.record import README, RECORD, put_into, write_down
from chaos.catalogue.results import Results
from chaos.catalogue.stage import Load
from chaos.catalogue.table import figures, table
from harness.rabbitmq import chosen_generation


def main() -> int:
    """0 if everything that was played has held."""
    given = _parser().parse_args()
    results = Results(chosen_generation(os.environ))  # noqa: TID251 - the edge
    wanted = [entry for entry in ENTRIES if not given.names or entry.name in given.names]
    if given.record:
        write_down({entry.name: results.latest(entry) for entry in wanted}, RECORD)
        put_into(README, RECORD)
        return 0
    load = Load(given.rate, given.seconds, given.seed, given.step or "")
    due = [entry for entry in wanted if given.names or given.again or results.of(entry) is None]
    company = Company(load, None if given.step else results, given.side_by_side, given.minutes * 60)
    played = {} if given.table else asyncio.run(company.play_all(due))
    rows = [(entry, played.get(entry.name) or results.of(entry)) for entry in wanted]
    sys.stdout.write("\n".join(table(rows)) + "\n")
    return int(any(outcome is not None and outcome.verdict is Verdict.BROKEN for _, outcome in rows))


@dataclass
class Company:
    """Plays entries, so many at a time, and begins none when its time is over."""

    load: Load
    results: Results | None
    """Where outcomes are kept, if they are."""
    at_once: int
    begins_for_s: float

    async def play_all(self, due: Sequence[Entry]) -> dict[str, Outcome]:
        """What became of each entry that was played."""
        closes = time.monotonic() + self.begins_for_s
        free = asyncio.Semaphore(self.at_once)
        played: dict[str, Outcome] = {}

        async def play(entry: Entry) -> None:
            async with free:
                if time.monotonic() < closes:
                    played[entry.name] = await self._play(entry)

        async with asyncio.TaskGroup() as playing:
            for entry in due:
                playing.create_task(play(entry))
        return played

    async def _play(self, entry: Entry) -> Outcome:
        _say(f"{entry.number:>2} {entry.name}: {entry.fault} …")
        outcome = await ask_for(entry, self.load)
        if self.results:
            self.results.keep(entry, outcome)
        _say(f"{entry.number:>2} {entry.name}: {outcome.verdict} ({figures(outcome)})")
        for complaint in outcome.complaints:
            _say(f"   {complaint}")
        return outcome


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


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
    parser.add_argument("--side-by-side", type=int, default=1, help="how many entries are played at a time")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no other entry when so many are over"
    )
    parser.add_argument(
        "--break",
        dest="step",
        choices=[step.value for step in Step],
        help="let every worker do this step of the protocol wrong: an entry that it matters to must say so",
    )
    parser.add_argument("--again", action="store_true", help="play what was played already, too")
    parser.add_argument("--table", action="store_true", help="play nothing, show what is known")
    parser.add_argument(
        "--record",
        action="store_true",
        help="play nothing, put the last outcomes on this broker into the record and the README",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
