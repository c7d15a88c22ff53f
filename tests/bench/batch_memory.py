"""What a batch of a million lines takes of memory: `fleet batch run` in here, against a fleet in memory.

Prints; asserts nothing. Run: `.venv/bin/python tests/bench/batch_memory.py [lines]`
"""

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from fleet_chassis.clock import SystemClock
from fleet_cli.batch.figures import Figures
from fleet_cli.batch.line import Choices
from fleet_cli.batch.progress import PlainLines
from fleet_cli.batch.running import run_batch
from fleet_cli.batch.showing import summary
from fleet_cli.batch.wish import Wish
from fleet_cli.console import say
from fleet_client.testing import FakeFleet

LINES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
STEPS = 10


class Marks(PlainLines):
    """Says how much memory is held at each tenth of the lines."""

    def __init__(self) -> None:
        super().__init__(time.monotonic, say)
        self._next = 0

    def show(self, figures: Figures) -> None:
        if figures.settled >= self._next:
            self._next += LINES // STEPS
            say(f"{figures.settled:>9} lines: {held_mib():.0f} MiB, {figures.rate:.0f} lines/s")


def held_mib() -> float:
    """Resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, results = Path(folder) / "prompts.txt", Path(folder) / "results.jsonl"
        with source.open("w") as file:
            file.writelines(f"How deep is lake number {number}?\n" for number in range(LINES))
        say(f"before: {held_mib():.0f} MiB; {LINES} lines, {source.stat().st_size / 2**20:.0f} MiB")
        fake = FakeFleet(otherwise="About twelve metres, as far as anybody knows.")
        wish = Wish(source, results, "memory", "default", Choices())
        ended = await run_batch(wish, fake.another, Marks(), SystemClock())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say(summary(wish, ended))
        say(
            f"peak: {peak:.0f} MiB; results {results.stat().st_size / 2**20:.0f} MiB, journal "
            f"{results.with_name(results.name + '.journal').stat().st_size / 2**20:.0f} MiB"
        )
        began = time.monotonic()
        await run_batch(wish, fake.another, Marks(), SystemClock())
        say(f"the same command again: {time.monotonic() - began:.1f} s")


asyncio.run(main())
