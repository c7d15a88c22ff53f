"""Everything that can be broken, started and joined."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from chaos.asks import a_simulator, cut_answers
from chaos.crew import Crew, a_crew
from chaos.leftovers import dead_letters, left_behind, queue_counts, store_counts
from chaos.plan import Plan
from chaos.report import Residue
from fleet_chassis.topology import apply
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.report import Report as Say
from fleet_cli.stack.store.sources import local_store
from fleet_cli.stack.store.store import Store
from fleet_simulator.server import Running, serve
from harness.processes import a_fleet
from harness.rabbitmq import a_broker, chosen_generation

LIMIT_START = "1000"
"""Calls at once that the limiter begins with: it is not limits that are looked at here."""


@dataclass(slots=True)
class Scene:
    """A fleet, and all that it stands on."""

    broker: Broker
    url: str
    store: Store
    simulator: Running
    crew: Crew

    async def residue(self) -> Residue:
        """What is there when all is quiet."""
        left = await left_behind(
            [lambda: queue_counts(self.broker, self.url), lambda: store_counts(self.store.url)]
        )
        return Residue(
            charged=len(self.simulator.log.events(kind="charged")),
            left_behind=left,
            dead_letters=await dead_letters(self.broker, self.url),
        )


@asynccontextmanager
async def a_scene(  # noqa: PLR0913 - all that a fleet stands on
    plan: Plan,
    environ: Mapping[str, str],
    folder: Path,
    say: Say,
    *,
    workers: int,
    settings: Mapping[str, str] | None = None,
    odd: Mapping[str, str] | None = None,
    broker: AbstractAsyncContextManager[Broker] | None = None,
) -> AsyncGenerator[Scene]:
    """So many workers on a broker, a store and a simulated DeepSeek of their own, with logs in `folder`.

    `settings` go to every worker, and so does what is `odd` about them (`Crew.odd`); `broker` stands in for
    what the run's choice of a RabbitMQ would give.
    """
    chosen = broker or a_broker(environ, chosen_generation(environ), say)
    told = {"FLEET_LIMIT_START": LIMIT_START, **(settings or {})}
    async with (
        chosen as running,
        local_store(say, environ=environ, cache_dir=cache_dir(environ)) as store,
        serve(a_simulator(plan)) as simulator,
    ):
        if plan.cut:
            simulator.inject(cut_answers(plan))
        url = await running.add_vhost(f"chaos-{uuid4().hex[:8]}")
        await apply(url)
        await running.settle()
        async with (
            a_fleet(url, simulator.base_url, folder, **told) as fleet,
            a_crew(fleet, url, store.url, workers, odd) as crew,
        ):
            yield Scene(running, url, store, simulator, crew)
