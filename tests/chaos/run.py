"""One run: a fleet of real processes under load, troubles on time, and the checker's verdict."""

import asyncio
import random
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from chaos.asks import a_simulator
from chaos.caller import a_chaos_caller
from chaos.checker import Report, check
from chaos.events import EventLog, read_events
from chaos.leftovers import left_behind, queue_counts, store_counts
from chaos.troubles import Troubles, kill_a_worker
from fleet_chassis.topology import apply
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.rabbitmq.sources import local_broker
from fleet_cli.stack.report import Report as Say
from fleet_cli.stack.store.sources import local_store
from fleet_cli.stack.store.store import Store
from fleet_simulator.server import Running, serve
from harness.processes import Fleet, a_fleet

WORKERS = 3
ANSWER_DEADLINE_S = 180.0


@dataclass(frozen=True)
class Plan:
    """How much is asked, and what breaks. Times in seconds; a number of restarts spreads over the run."""

    requests: int = 10_000
    rate: float = 50.0
    kill_every_s: float = 5.0
    broker_restarts: int = 2
    store_restarts: int = 1
    seed: int = 1

    @property
    def lasts_s(self) -> float:
        """How long the requests take to be published."""
        return self.requests / self.rate


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that can be broken."""

    broker: Broker
    url: str
    store: Store
    simulator: Running
    fleet: Fleet


async def run(plan: Plan, environ: Mapping[str, str], folder: Path, say: Say) -> tuple[Report, list[str]]:
    """Run `plan` with its logs below `folder`; what the checker found, and what was broken, in order."""
    async with _scene(environ, folder, say) as scene:
        say(f"{plan.requests} requests at {plan.rate:.0f} a second, {WORKERS} workers; logs in {folder}")
        seen = folder / "caller.jsonl"
        with seen.open("wb") as file:
            troubles = await _ask_while_things_break(plan, scene, EventLog(file))
        left = await left_behind(
            [lambda: queue_counts(scene.broker, scene.url), lambda: store_counts(scene.store)]
        )
        charged = len(scene.simulator.log.events(kind="charged"))
        return check(read_events(seen), charged, left), troubles.told


async def _ask_while_things_break(plan: Plan, scene: Scene, log: EventLog) -> Troubles:
    troubles = Troubles()
    async with a_chaos_caller(scene.url, log) as caller:
        tasks = [asyncio.create_task(trouble) for trouble in _planned(plan, scene, troubles)]
        try:
            await caller.ask_all(plan.requests, plan.rate)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        _raise_first_error(tasks)
        try:
            await caller.until_answered(ANSWER_DEADLINE_S)
        except TimeoutError:
            troubles.told.append(f"{caller.waiting} requests still waited after {ANSWER_DEADLINE_S:.0f} s")
    return troubles


def _raise_first_error(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


def _planned(plan: Plan, scene: Scene, troubles: Troubles) -> Iterator[Coroutine[Any, Any, None]]:
    yield troubles.every(
        plan.kill_every_s, "a worker killed", kill_a_worker(scene.fleet, random.Random(plan.seed))
    )
    for number in range(plan.broker_restarts):
        after_s = plan.lasts_s * (number + 1) / (plan.broker_restarts + 1)
        yield troubles.at(after_s, "the broker restarted", scene.broker.restart)
    for number in range(plan.store_restarts):
        after_s = plan.lasts_s * (number + 1) / (plan.store_restarts + 1) + plan.kill_every_s / 2
        yield troubles.at(after_s, "the store killed and restarted", lambda: _kill_and_restart(scene.store))


async def _kill_and_restart(store: Store) -> None:
    await store.kill()
    await store.restart()


@asynccontextmanager
async def _scene(environ: Mapping[str, str], folder: Path, say: Say) -> AsyncGenerator[Scene]:
    where = cache_dir(environ)
    async with (
        local_broker(say, environ=environ, cache_dir=where) as broker,
        local_store(say, environ=environ, cache_dir=where) as store,
        serve(a_simulator()) as simulator,
    ):
        url = await broker.add_vhost(f"chaos-{uuid4().hex[:8]}")
        await apply(url)
        await broker.settle()
        async with a_fleet(url, simulator.base_url, folder, REDIS_URL=store.url) as fleet:
            for _ in range(WORKERS):
                await fleet.start_worker()
            yield Scene(broker, url, store, simulator, fleet)
