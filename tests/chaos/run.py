"""One run: a fleet of real processes under load, troubles on time, and the checker's verdict."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from chaos.asks import a_simulator, cut_answers
from chaos.broken_steps import Step
from chaos.caller import Caller, a_chaos_caller
from chaos.checker import check
from chaos.crew import Crew, a_crew
from chaos.events import EventLog, read_events
from chaos.leftovers import dead_letters, left_behind, queue_counts, store_counts
from chaos.plan import Plan
from chaos.report import Report, Residue
from chaos.trials import trial
from chaos.troubles import Troubles
from fleet_chassis.topology import apply
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.report import Report as Say
from fleet_cli.stack.store.sources import local_store
from fleet_cli.stack.store.store import Store
from fleet_simulator.server import Running, serve
from harness.processes import a_fleet
from harness.rabbitmq import a_broker, chosen_generation

WORKERS = 3
ANSWER_DEADLINE_S = 240.0
LIMIT_START = "1000"
"""Calls at once that the limiter begins with: it is not limits that are looked at here."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that can be broken."""

    broker: Broker
    url: str
    store: Store
    simulator: Running
    crew: Crew


async def run(plan: Plan, environ: Mapping[str, str], folder: Path, say: Say) -> tuple[Report, list[str]]:
    """Run `plan` with its logs below `folder`; what the checker found, and what was broken, in order."""
    async with _scene(plan, environ, folder, say) as scene:
        say(f"{plan.requests} requests at {plan.rate:.0f} a second, {WORKERS} workers; logs in {folder}")
        seen = folder / "caller.jsonl"
        with seen.open("wb") as file:
            log = EventLog(file)
            troubles = Troubles(scene.broker, scene.store, scene.crew, random.Random(plan.seed), log)
            async with a_chaos_caller(scene.url, log) as caller:
                await _ask_while_things_break(plan, caller, troubles)
                # The caller goes on listening: what comes now would be one reply too many.
                residue = await _residue(scene)
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


async def _residue(scene: Scene) -> Residue:
    left = await left_behind(
        [lambda: queue_counts(scene.broker, scene.url), lambda: store_counts(scene.store.url)]
    )
    return Residue(
        charged=len(scene.simulator.log.events(kind="charged")),
        left_behind=left,
        dead_letters=await dead_letters(scene.broker, scene.url),
    )


@asynccontextmanager
async def _scene(plan: Plan, environ: Mapping[str, str], folder: Path, say: Say) -> AsyncGenerator[Scene]:
    where = cache_dir(environ)
    async with (
        a_broker(environ, chosen_generation(environ), say) as broker,
        local_store(say, environ=environ, cache_dir=where) as store,
        serve(a_simulator(plan)) as simulator,
    ):
        if plan.cut:
            simulator.inject(cut_answers(plan))
        url = await broker.add_vhost(f"chaos-{uuid4().hex[:8]}")
        await apply(url)
        await broker.settle()
        async with (
            a_fleet(url, simulator.base_url, folder, FLEET_LIMIT_START=LIMIT_START) as fleet,
            a_crew(fleet, url, store.url, WORKERS) as crew,
        ):
            yield Scene(broker, url, store, simulator, crew)
