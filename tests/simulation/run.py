"""One run of one seed, from its start to its verdict."""

import asyncio
import gc
import random
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time

from simulation.broker import Broker
from simulation.caller import Caller
from simulation.ends import Ends
from simulation.fleet import Fleet
from simulation.history import History
from simulation.judge import Judge
from simulation.leftovers import still_to_do
from simulation.logs import LOG
from simulation.loop import SimulatedLoop
from simulation.mutants import planted
from simulation.scenario import Scenario, drawn
from simulation.store import StoreServer
from simulation.upstream import SimulatedUpstream
from simulation.world import World

LOOKS_EVERY_S = 1.0
REST_WITHIN_S = 200.0
"""Three times as long as the slowest of thousands of seeds took."""
MOST_STEPS = 400_000
COLLECTS_EVERY = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run went."""

    seed: int
    scenario: Scenario
    wrong: list[str]
    history: History
    lasted_s: float
    """On the run's own clock."""
    took_s: float
    """Of this machine's processor."""
    steps: int

    @property
    def digest(self) -> str:
        """The same for every run of the seed."""
        return self.history.digest()


def simulate(seed: int, scenario: Scenario | None = None) -> Verdict:
    """Run a seed to its end."""
    began, scenario = process_time(), scenario or drawn(seed)
    loop = SimulatedLoop(random.Random(f"order {seed}") if scenario.shuffled else None)
    world = World(loop, random.Random(f"world {seed}"))
    judge = Judge(world)
    LOG.world = world
    collects = gc.isenabled()
    # Not while it runs: what is collected in the middle would be closed in the middle.
    gc.disable()
    asyncio.set_event_loop(loop)
    try:
        _run(world, scenario, judge)
        lasted_s, steps = loop.time(), loop.steps
        _end(world, judge)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        if collects:
            gc.enable()
    return Verdict(seed, scenario, judge.wrong, world.history, lasted_s, process_time() - began, steps)


def _run(world: World, scenario: Scenario, judge: Judge) -> None:
    broker, store = Broker(world), StoreServer(world)
    weather_chance = random.Random(f"weather {scenario.seed}")
    upstream = SimulatedUpstream(world, scenario.weather, weather_chance, judge.began)
    fleet = judge.fleet = Fleet(world, broker, store, upstream, scenario, judge.acked)
    broker.taken.append(judge.taken)
    fleet.callers = [Caller(world, broker, ask) for ask in scenario.asks]
    for caller in fleet.callers:
        caller.begin()
    fleet.start()
    world.later(scenario.last_s + LOOKS_EVERY_S, lambda: _look(world, judge))
    world.loop.run_forever()


def _look(world: World, judge: Judge) -> None:
    """End the run when it has come to rest, or takes too long for it."""
    left = still_to_do(judge.fleet)
    if left and world.loop.time() < REST_WITHIN_S and world.loop.steps < MOST_STEPS and not judge.wrong:
        world.later(LOOKS_EVERY_S, lambda: _look(world, judge))
        return
    if not judge.wrong:
        for what in left:
            judge.finds(f"no rest after {world.loop.time():.0f} s: {what}")
        Ends(judge).judge()
    world.history.closed = True
    world.over = True
    world.loop.stop()


def _end(world: World, judge: Judge) -> None:
    """Let everything that still waits end, the dead too: none may be closed as garbage, in the next run."""
    loop = world.loop
    for worker in judge.fleet.ever:
        worker.process.dead = False
        worker.process.steps_left = None
        worker.process.go_on(loop)
    for _ in range(20):
        tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=1000))
    loop.run_until_complete(loop.shutdown_asyncgens())


Report = Callable[[Verdict], None]


def simulate_many(seeds: range, report: Report = lambda _: None) -> list[Verdict]:
    """Run seeds one after the other; collects garbage now and then, between them."""
    failed: list[Verdict] = []
    for number, seed in enumerate(seeds):
        verdict = simulate(seed)
        report(verdict)
        if verdict.wrong:
            failed.append(verdict)
        if number % COLLECTS_EVERY == COLLECTS_EVERY - 1:
            gc.collect()
    return failed


def hunt(name: str, seeds: range) -> Verdict | None:
    """The first seed that finds out a mutant; None where none does."""
    with planted(name):
        for number, seed in enumerate(seeds):
            verdict = simulate(seed)
            if verdict.wrong:
                return verdict
            if number % COLLECTS_EVERY == COLLECTS_EVERY - 1:
                gc.collect()
    return None
