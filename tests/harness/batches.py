"""`fleet batch` as a process that gets killed, and what its files must say at the end."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fleet_cli.stack.child import Child
from harness.waiting import until

REFUSED = "a line that is refused"
BATCH_DEADLINE_S = 60.0
INTERRUPTED, SOME_FAILED = 130, 1


def write_prompts(path: Path, lines: int, refused_every: int = 0) -> set[str]:
    """An input of so many lines in OpenAI's batch format; the custom_ids of those that are to fail."""
    refused: set[str] = set()
    with path.open("wb") as file:
        for number in range(1, lines + 1):
            key = f"item-{number:06}"
            is_refused = bool(refused_every) and number % refused_every == 0
            if is_refused:
                refused.add(key)
            file.write(_line(key, f"{REFUSED}: {number}" if is_refused else f"How deep is lake {number}?"))
    return refused


def _line(key: str, prompt: str) -> bytes:
    body = {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": prompt}],
        "thinking": {"type": "disabled"},
    }
    line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return orjson.dumps(line) + b"\n"


@dataclass(frozen=True, slots=True)
class Results:
    """What a results file says."""

    lines: list[dict[str, Any]]

    @property
    def answered(self) -> set[str]:
        return {line["custom_id"] for line in self.lines if line["error"] is None}

    @property
    def failed(self) -> set[str]:
        return {line["custom_id"] for line in self.lines if line["error"] is not None}

    @property
    def twice(self) -> set[str]:
        counted = Counter(line["custom_id"] for line in self.lines)
        return {key for key, count in counted.items() if count > 1}


def results_in(path: Path) -> Results:
    """Every line of a results file; a torn one fails."""
    return Results([orjson.loads(line) for line in path.read_bytes().splitlines()])


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, run as often as it takes."""

    source: Path
    results: Path
    environ: Mapping[str, str]
    options: tuple[str, ...] = ()

    @property
    def log(self) -> Path:
        return self.results.with_suffix(".log")

    async def start(self, *options: str) -> Child:
        arguments = ("batch", "run", str(self.source), "-o", str(self.results), *self.options, *options)
        command = (sys.executable, "-m", "fleet_cli", *arguments)
        return await Child.start("batch", command, environ=dict(self.environ), log=self.log)

    async def run(self, *options: str, deadline_s: float = BATCH_DEADLINE_S) -> int:
        """Run it to its end; its exit status."""
        child = await self.start(*options)
        try:
            await until(lambda: not child.running, deadline_s=deadline_s)
        finally:
            await child.kill()
        return await child.wait()

    async def run_and_kill(self, once_settled: int, *, deadline_s: float = BATCH_DEADLINE_S) -> bool:
        """Run it, and kill it (-9) once so many lines have ended; False where it was quicker."""
        child = await self.start()
        try:
            await until(lambda: self.settled >= once_settled or not child.running, deadline_s=deadline_s)
            return child.running
        finally:
            await child.kill()

    async def run_and_interrupt(self, once_settled: int, *, deadline_s: float = BATCH_DEADLINE_S) -> None:
        """Run it, and press Ctrl-C once so many lines have ended, unless it is quicker."""
        child = await self.start()
        try:
            await until(lambda: self.settled >= once_settled or not child.running, deadline_s=deadline_s)
            child.signal(signal.SIGINT)
            await until(lambda: not child.running, deadline_s=deadline_s)
            status = await child.wait()
        finally:
            await child.kill()
        assert status in {INTERRUPTED, SOME_FAILED}, self.said()
        assert status == SOME_FAILED or "The same command goes on from here" in self.said()

    def said(self) -> str:
        """The end of what its runs have said."""
        return self.log.read_text()[-4000:] if self.log.exists() else ""

    @property
    def settled(self) -> int:
        """Lines that have ended, by the journal."""
        journal = self.results.with_name(f"{self.results.name}.journal")
        return journal.read_bytes().count(b"\n[") if journal.exists() else 0


def a_batch(folder: Path, url: str, *options: str) -> Batch:
    """A batch whose files are in `folder`, on the broker at `url`."""
    environ = {**os.environ, "AMQP_URL": url}  # noqa: TID251 -- a child process needs the PATH and HOME of this one
    return Batch(folder / "prompts.jsonl", folder / "results.jsonl", environ, options)
