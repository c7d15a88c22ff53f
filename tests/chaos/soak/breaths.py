"""One breath after the other: load, random faults, one worker that becomes eight and one again, a rest."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.caller import Caller, a_chaos_caller
from chaos.checker import check
from chaos.crew import Crew, Member
from chaos.events import EventLog, read_events
from chaos.plan import Due, Plan, Trouble
from chaos.report import Report
from chaos.scene import Scene, a_scene
from chaos.soak.looks import look
from chaos.troubles import Troubles
from fleet_cli.stack.report import Report as Say

ANSWER_DEADLINE_S = 240.0
GRACE_S = 40.0
REST_S = 20.0
"""Longer than a worker keeps a connection to DeepSeek that it does not use."""
KEPT_S = 180
"""How long the ledger knows what has ended: short enough for its keys to come to an end in an hour."""


@dataclass(frozen=True, slots=True)
class Soak:
    """How long, how much, how many."""

    minutes: float = 120.0
    breath_s: float = 90.0
    rate: float = 8.0
    most: int = 8
    """Workers at the height of a breath."""
    troubles: int = 3
    """Random faults in each breath."""
    seed: int = 1

    def plan(self, breath: int = 0) -> Plan:
        """What is asked in a breath; what breaks says `due`."""
        nothing = dict.fromkeys(("broker_restarts", "store_restarts", "resets", "blackholes", "delays"), 0)
        nothing |= dict.fromkeys(("store_resets", "store_blackholes", "stops"), 0)
        plan = Plan(requests=round(self.breath_s * self.rate), rate=self.rate, kill_every_s=0, **nothing)
        return replace(plan, seed=self.seed + breath)

    def due(self, breath: int) -> list[Due]:
        """What breaks in a breath, and when: one seed gives one soak."""
        chance = random.Random(f"{self.seed}/{breath}")
        moments = sorted(chance.uniform(0.05, 0.9) * self.breath_s for _ in range(self.troubles))
        return [Due(at_s, chance.choice(list(Trouble))) for at_s in moments]


Tell = Callable[[int, dict[str, float]], None]
"""Hears the number of a breath, and what was seen in the rest after it."""


async def soak(
    told: Soak, environ: Mapping[str, str], folder: Path, say: Say, tell: Tell
) -> tuple[Report, list[str], list[dict[str, float]]]:
    """Breathe for so long; what the checker found, what was broken, and what was seen in each rest."""
    seen: list[dict[str, float]] = []
    ends_at = time.monotonic() + told.minutes * 60
    async with _a_fleet(told, environ, folder, say) as (scene, caller, troubles, log):
        while time.monotonic() < ends_at:
            await _breathe(told, len(seen), scene, caller, troubles)
            await asyncio.sleep(REST_S)
            seen.append(await look(scene))
            tell(len(seen), seen[-1])
        residue = await scene.residue()
        log.flush()
    return check(read_events(folder / "caller.jsonl"), residue), troubles.told, seen


@asynccontextmanager
async def _a_fleet(
    told: Soak, environ: Mapping[str, str], folder: Path, say: Say
) -> AsyncGenerator[tuple[Scene, Caller, Troubles, EventLog]]:
    kept = {"FLEET_LEDGER_KEPT_S": str(KEPT_S), "FLEET_LEDGER_BODIES_S": str(KEPT_S)}
    opened = a_scene(told.plan(), environ, folder, say, workers=1, settings=kept)
    async with opened as scene:
        scene.crew.spared = scene.crew.members[0]
        say(f"{told.minutes:.0f} minutes at {told.rate:.0f} requests a second; logs in {folder}")
        with (folder / "caller.jsonl").open("wb") as file:
            log = EventLog(file)
            troubles = Troubles(scene.broker, scene.store, scene.crew, random.Random(told.seed), log)
            async with a_chaos_caller(scene.url, log) as caller:
                yield scene, caller, troubles, log


async def _breathe(told: Soak, breath: int, scene: Scene, caller: Caller, troubles: Troubles) -> None:
    async with asyncio.TaskGroup() as going:
        going.create_task(caller.ask_all(told.plan(breath)))
        going.create_task(troubles.make(told.due(breath)))
        going.create_task(_grow_and_shrink(told, scene.crew))
    await _shrink(scene.crew, 0)  # somebody may have come in the place of one that was killed
    try:
        await caller.until_answered(ANSWER_DEADLINE_S)
    except TimeoutError:
        troubles.told.append(f"{caller.waiting} requests still waited after {ANSWER_DEADLINE_S:.0f} s")


async def _grow_and_shrink(told: Soak, crew: Crew) -> None:
    pause_s = told.breath_s / 3 / told.most
    while len(crew.members) < told.most:
        await crew.start()
        await asyncio.sleep(pause_s)
    await asyncio.sleep(told.breath_s / 6)
    await _shrink(crew, pause_s)


async def _shrink(crew: Crew, pause_s: float) -> None:
    async with asyncio.TaskGroup() as leaving:
        while others := [member for member in crew.members if member is not crew.spared]:
            leaving.create_task(_leave(crew, others[-1]))
            await asyncio.sleep(pause_s)


async def _leave(crew: Crew, member: Member) -> None:
    if member in crew.members:  # else it was killed a moment ago
        await crew.lose(member, grace_s=GRACE_S)
