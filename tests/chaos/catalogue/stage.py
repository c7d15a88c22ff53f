"""Where an entry is played: a fleet, a caller behind a proxy of its own, and what the checker says."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chaos.caller import Caller, a_chaos_caller
from chaos.catalogue.entry import Entry, Outcome, Verdict
from chaos.checker import TERMINAL, check
from chaos.events import Event, EventLog, read_events
from chaos.plan import Plan, Trouble
from chaos.report import Report
from chaos.scene import Scene, a_scene
from chaos.troubles import Troubles
from harness.cluster import a_cluster
from harness.proxy import Proxy, a_proxy_before
from harness.waiting import until

ANSWER_DEADLINE_S = 120.0


@dataclass(frozen=True)
class Load:
    """How much is asked under a fault."""

    rate: float = 8.0
    seconds: float = 12.0
    seed: int = 1
    broken: str = ""
    """The step that every worker does wrong on purpose (`broken_steps.py`): the entry must find it out."""

    def plan(self, seconds: float | None = None) -> Plan:
        """A steady stream of requests in which nothing breaks by itself."""
        lasts = self.seconds if seconds is None else seconds
        calm = dict.fromkeys(("resets", "blackholes", "delays", "stops", "cancel_every", "repeat_every"), 0)
        calm |= dict.fromkeys(("broker_restarts", "store_restarts", "store_resets", "store_blackholes"), 0)
        return Plan(
            requests=round(lasts * self.rate),
            rate=self.rate,
            kill_every_s=0,
            refused=0,
            cut=0,
            seed=self.seed,
            **calm,
        )


@dataclass
class Stage:
    """What an entry has in its hands."""

    entry: Entry
    load_of: Load
    scene: Scene
    caller: Caller
    near: Proxy
    """What lies between the caller and the broker."""
    troubles: Troubles
    folder: Path
    environ: Mapping[str, str]
    log: EventLog
    chance: random.Random
    complaints: list[str] = field(default_factory=list[str])
    notes: dict[str, str] = field(default_factory=dict[str, str])
    mended_at: float | None = None
    _report: Report | None = None

    @asynccontextmanager
    async def load(self, seconds: float | None = None, **changes: Any) -> AsyncGenerator[None]:
        """Ask at the load's rate while the block does harm; ends when both have."""
        plan = replace(self.load_of.plan(seconds), **changes)
        async with asyncio.TaskGroup() as going:
            going.create_task(self.caller.ask_all(plan))
            yield

    async def trouble(self, trouble: Trouble) -> None:
        """Make one trouble, and mend it."""
        await self.troubles.make_one(trouble)
        self.mended()

    def mended(self) -> None:
        """What was broken is whole again now."""
        self.mended_at = self.now()

    def must(self, holds: bool, sentence: str) -> None:
        """Complain with `sentence` unless it `holds`."""
        if not holds:
            self.complaints.append(sentence)

    def note(self, name: str, value: object) -> None:
        """Keep a figure for the record."""
        self.notes[name] = str(value)

    async def until_ended(self, ends: int, within_s: float = 30.0) -> None:
        """Wait for so many terminal replies over all; complains where they don't come."""
        with suppress(TimeoutError):
            await until(lambda: self.caller.ends >= ends, deadline_s=within_s)
        self.must(self.caller.ends >= ends, f"{ends} ends within {within_s:.0f} s, not {self.caller.ends}")

    async def ask_again(self, after_s: float = 15.0) -> None:
        """Ask again what has no end after a while, as callers do whose reply queue's node was away."""
        with suppress(TimeoutError):
            await self.caller.until_answered(after_s)
        self.note("asked again", await self.caller.ask_again())

    def calls(self, kind: str = "charged") -> int:
        """Upstream calls of which the simulator noted this."""
        return len(self.scene.simulator.log.events(kind=kind))

    def seen(self, kind: str) -> list[Event]:
        """What the caller heard, or the stage did, of this kind."""
        self.log.flush()
        return [event for event in read_events(self.folder / "caller.jsonl") if event.kind == kind]

    async def report(self) -> Report:
        """What the checker says when all is answered and quiet; asked once."""
        if self._report is None:
            with suppress(TimeoutError):
                await self.caller.until_answered(ANSWER_DEADLINE_S)
            residue = await self.scene.residue()
            self.log.flush()
            self._report = check(read_events(self.folder / "caller.jsonl"), residue)
        return self._report

    async def all_have_results(self) -> None:
        """Complain unless every request ended with a result."""
        report = await self.report()
        self.must(report.results == report.requests, f"a result for each, not {dict(report.failures)}")

    async def paid_once(self) -> None:
        """Complain unless the upstream charged exactly one call for each end."""
        report = await self.report()
        self.must(
            report.residue.charged == report.ended,
            f"one charged call for each of {report.ended} ends, not {report.residue.charged}",
        )

    async def paid_for_results(self) -> None:
        """Complain unless the upstream charged exactly one call for each result: other ends are free."""
        report = await self.report()
        charged = report.residue.charged
        self.must(charged == report.results, f"{charged} charged calls for {report.results} results")

    def now(self) -> float:
        """Unix time in seconds, as in the logs."""
        return time.time()  # noqa: TID251 - logs of several are put together

    def recovery_s(self) -> float | None:
        """From the mend to the last first end of what was asked before it; none where nothing was mended."""
        if self.mended_at is None:
            return None
        asked = {event.request for event in self.seen("published") if event.at <= self.mended_at}
        ends: dict[str, float] = {}
        for event in [end for kind in TERMINAL for end in self.seen(kind)]:
            ends[event.request] = min(event.at, ends.get(event.request, event.at))
        late = [at - self.mended_at for request, at in ends.items() if request in asked]
        return max(0.0, *late) if late else 0.0


async def perform(entry: Entry, load: Load, environ: Mapping[str, str], folder: Path) -> Outcome:
    """Play an entry with its logs in `folder`, and judge it. Raises OutError where it can't be played."""
    began = time.monotonic()
    async with _a_stage(entry, load, environ, folder) as stage:
        await entry.play(stage)
        outcome = _judged(stage, await stage.report())
    return replace(outcome, took_s=time.monotonic() - began)


def _judged(stage: Stage, report: Report) -> Outcome:
    entry, recovery_s = stage.entry, stage.recovery_s()
    broken = [each for each in report.violations if each.partition(":")[0] not in entry.may]
    if recovery_s is not None and recovery_s > entry.within_s:
        broken.append(f"recovered within {entry.within_s:.0f} s, not {recovery_s:.1f} s")
    complaints = [*broken, *stage.complaints]
    failures = ", ".join(f"{code} {times}" for code, times in sorted(report.failures.items()))
    return Outcome(
        verdict=Verdict.BROKEN if complaints else Verdict.HELD,
        complaints=complaints,
        requests=report.requests,
        lost=len(report.lost),
        twice=len(report.duplicated),
        recovered=report.recovered,
        recovery_s=recovery_s,
        broker=stage.scene.broker.version,
        notes=stage.notes
        | ({"failures": failures} if failures else {})
        | ({"charged": f"{report.residue.charged} for {report.ended} ends"} if report.ended else {}),
    )


@asynccontextmanager
async def _a_stage(
    entry: Entry, load: Load, environ: Mapping[str, str], folder: Path
) -> AsyncGenerator[Stage]:
    chance = random.Random(load.seed)
    broker = a_cluster(entry.nodes, environ) if entry.nodes > 1 else None
    opened = a_scene(
        load.plan(),
        environ,
        folder,
        _silent,
        workers=entry.workers,
        settings=entry.settings,
        odd={"BREAK": load.broken} if load.broken else None,
        broker=broker,
    )
    with (folder / "caller.jsonl").open("wb") as file:
        log = EventLog(file)
        async with opened as scene, a_proxy_before(scene.url) as near:
            troubles = Troubles(scene.broker, scene.store, scene.crew, chance, log)
            async with a_chaos_caller(near.before(scene.url), log) as caller:
                yield Stage(entry, load, scene, caller, near, troubles, folder, environ, log, chance)


def _silent(_line: str) -> None:
    """Where a broker comes from is told once, and not for each entry."""
