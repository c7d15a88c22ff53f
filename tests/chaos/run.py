"""One run: a fleet of real processes under load, troubles on time, and the checker's verdict."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from chaos.broken_steps import Step
from chaos.caller import Caller, a_chaos_caller
from chaos.checker import check
from chaos.events import EventLog, read_events
from chaos.plan import Plan
from chaos.report import Report
from chaos.scene import a_scene
from chaos.trials import trial
from chaos.troubles import Troubles
from fleet_chassis.topology import apply
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.report import Report as Say
from fleet_cli.stack.store.sources import local_store
from harness.rabbitmq import a_broker, chosen_generation

WORKERS = 3
ANSWER_DEADLINE_S = 240.0


async def run(plan: Plan, environ: Mapping[str, str], folder: Path, say: Say) -> tuple[Report, list[str]]:
    """Run `plan` with its logs below `folder`; what the checker found, and what was broken, in order."""
    async with a_scene(plan, environ, folder, say, workers=WORKERS) as scene:
        say(f"{plan.requests} requests at {plan.rate:.0f} a second, {WORKERS} workers; logs in {folder}")
        seen = folder / "caller.jsonl"
        with seen.open("wb") as file:
            log = EventLog(file)
            troubles = Troubles(scene.broker, scene.store, scene.crew, random.Random(plan.seed), log)
            async with a_chaos_caller(scene.url, log) as caller:
                await _ask_while_things_break(plan, caller, troubles)
                # The caller goes on listening: what comes now would be one reply too many.
                residue = await scene.residue()
        return check(read_events(seen), residue), troubles.told


async def try_out(step: Step, environ: Mapping[str, str], folder: Path, say: Say) -> Report:
    """Break one step of the protocol, and say what the checker finds."""
    where = cache_dir(environ)
    async with (
        a_broker(environ, chosen_generation(environ), say) as broker,
        local_store(say, environ=environ, cache_dir=where) as store,
    ):
        url = await broker.add_vhost(f"chaos-{uuid4().hex[:8]}")
        await apply(url)
        return await trial(step, url, store.url, folder, broken=True)


async def _ask_while_things_break(plan: Plan, caller: Caller, troubles: Troubles) -> None:
    async with asyncio.TaskGroup() as going:
        going.create_task(troubles.make(plan.troubles()))
        going.create_task(caller.ask_all(plan))
    try:
        await caller.until_answered(ANSWER_DEADLINE_S)
    except TimeoutError:
        troubles.told.append(f"{caller.waiting} requests still waited after {ANSWER_DEADLINE_S:.0f} s")
