"""Plays one entry in a process of its own, and prints what became of it as JSON: `ask_for` starts it.

Entries that are played side by side must not share an interpreter, which also carries the simulator and all
proxies; and one that hangs is ended without the others.
"""

import asyncio
import dataclasses
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from chaos.catalogue.entry import Entry, Outcome, OutError, Verdict
from chaos.catalogue.every import ENTRIES
from chaos.catalogue.results import outcome_of
from chaos.catalogue.stage import Load, perform

MOST_S = 400.0
END_S = 60.0
"""How long an entry may take to put away what it started."""
TALKATIVE = ("aio_pika", "aiormq", "asyncio")
"""They tell of every lost connection."""


async def ask_for(entry: Entry, load: Load) -> Outcome:
    """Have an entry played by a process of its own; never raises for what the entry does."""
    command = (sys.executable, "-m", "chaos.catalogue.alone", entry.name, orjson.dumps(load).decode())
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(MOST_S + END_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return Outcome(Verdict.BROKEN, [f"it did not end within {MOST_S + END_S:.0f} s"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        return Outcome(Verdict.BROKEN, [f"its process ended with status {process.returncode}"])
    return outcome_of(orjson.loads(said))


async def _played(entry: Entry, load: Load, environ: Mapping[str, str]) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix=f"deepseek-fleet-{entry.name}-"))
    began = time.monotonic()
    try:
        async with asyncio.timeout(MOST_S):
            outcome = await perform(entry, load, environ, folder)
    except OutError as why:
        return Outcome(Verdict.OUT, [str(why)])
    except Exception as error:  # noqa: BLE001 - whoever asked for it has others to play
        complaints = [f"it could not be played to its end: {_told(error)}"]
        outcome = Outcome(Verdict.BROKEN, complaints, took_s=time.monotonic() - began)
    if outcome.complaints:
        sys.stderr.write(f"   what {entry.name} has left is in {folder}\n")
    return outcome


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(each) for each in error.exceptions)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType, reportUnknownVariableType]
    return f"{type(error).__name__}: {error}"


def main() -> None:
    """Play the entry that the first argument names, under the load of the second.

    Only the outcome goes to who asked: what the entry starts may print, and prints among the complaints.
    """
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    name, load = sys.argv[1:]
    entry = next(each for each in ENTRIES if each.name == name)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DEEPSEEK_")}  # noqa: TID251 - the edge
    outcome = asyncio.run(_played(entry, Load(**orjson.loads(load)), environ))
    with os.fdopen(answer, "wb") as pipe:
        pipe.write(orjson.dumps(dataclasses.asdict(outcome)))


if __name__ == "__main__":
    main()
