"""The whole local stack: broker, store, topology, upstream and workers, up together and gone together."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleet_cli.stack.child import Child
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.processes import start_simulator, start_worker
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.rabbitmq.sources import local_broker
from fleet_cli.stack.report import Report, Stopwatch
from fleet_cli.stack.stack_env import FILE, Addresses
from fleet_cli.stack.store.sources import local_store
from fleet_cli.stack.store.store import Store
from fleet_cli.stack.together import together
from fleet_cli.stack.upstream import given_upstream

DRAIN_S = 8
STOP_GRACE_S = DRAIN_S + 4.0


@dataclass(frozen=True)
class Plan:
    """What a stack is to be: how many workers, and whether the environment may name another upstream."""

    workers: int = 1
    only_simulator: bool = True
    simulator_speed: float = 1.0
    """How many times faster than the real DeepSeek the simulator answers."""


@dataclass(frozen=True)
class Backends:
    """What the fleet stands on, apart from its upstream."""

    broker: Broker
    store: Store | None

    def addresses(self, base_url: str, api_key: str) -> Addresses:
        """Where they are, and where the upstream is."""
        redis_url = "" if self.store is None else self.store.url
        return Addresses(self.broker.url, base_url, api_key, redis_url)


@dataclass
class LocalStack:
    """A running stack. Its processes can be killed and started one by one."""

    broker: Broker
    store: Store | None
    addresses: Addresses
    environ: Mapping[str, str]
    logs: Path
    report: Report
    simulator: Child | None = None
    workers: list[Child] = field(default_factory=list[Child])

    async def start_worker(self) -> Child:
        """Start one more worker; returns when it is ready."""
        name, watch = f"worker-{len(self.workers) + 1}", Stopwatch()
        child, url = await start_worker(name, {**self.environ, "FLEET_WORKER_NAME": name}, self.logs)
        self.workers.append(child)
        pages = [page for page in (self.addresses.metrics_url, f"{url}/metrics") if page]
        self.addresses = replace(self.addresses, metrics_url=",".join(pages))
        self.report(f"{name}: ready in {watch}, metrics at {url}/metrics")
        return child

    async def watch(self) -> None:
        """Report each worker that ends before the stack does, until there is nothing left to watch.

        Raises StackError when the simulator ends: no worker of this stack can be answered any more.
        """
        await together(self._watch_workers(), self._watch_simulator())

    async def stop_workers(self) -> None:
        """Let every worker drain, all at the same time, and end the ones that are late."""
        await asyncio.gather(
            *(worker.stop(grace_s=STOP_GRACE_S) for worker in self.workers if worker.running)
        )

    async def _watch_workers(self) -> None:
        await asyncio.gather(*(self._watch_worker(worker) for worker in self.workers))

    async def _watch_simulator(self) -> None:
        if self.simulator is not None:
            raise StackError(
                f"{await self._end_of(self.simulator)}; no worker here can be answered any more: "
                "start the stack again with `fleet up`"
            )

    async def _watch_worker(self, worker: Child) -> None:
        self.report(await self._end_of(worker))
        if not any(worker.running for worker in self.workers):
            start = f"`fleet worker --settings {self.logs.parent / FILE}`"
            self.report(f"no worker is left, and requests wait in their queue: start one with {start}")

    async def _end_of(self, child: Child) -> str:
        status = await child.wait()
        return f"{child.name} ended with status {status}; its log: {self.logs / child.name}.log"


@asynccontextmanager
async def local_stack(
    report: Report, plan: Plan, *, environ: Mapping[str, str], folder: Path
) -> AsyncGenerator[LocalStack]:
    """The stack of `plan`, with its logs below `folder`; everything that was started ends with it.

    Raises StackError with one sentence if a part cannot be had, TopologyError if the broker refuses ours.
    """
    async with AsyncExitStack() as parts:
        where = cache_dir(environ)
        broker, store = await together(
            parts.enter_async_context(local_broker(report, environ=environ, cache_dir=where)),
            _store_if_any(parts, report, environ, where),
        )
        await _apply_topology(broker, report)
        wanted = replace(plan, workers=_served_by(store, plan.workers, report))
        stack = await _with_upstream(parts, Backends(broker, store), report, wanted, environ, folder / "logs")
        parts.push_async_callback(stack.stop_workers)
        for _ in range(wanted.workers):
            await stack.start_worker()
        yield stack


async def _store_if_any(
    parts: AsyncExitStack, report: Report, environ: Mapping[str, str], where: Path
) -> Store | None:
    try:
        return await parts.enter_async_context(local_store(report, environ=environ, cache_dir=where))
    except UnavailableError as nowhere:
        report(str(nowhere))
        return None


def _served_by(store: Store | None, workers: int, report: Report) -> int:
    if store is not None or workers <= 1:
        return workers
    report(f"one worker instead of {workers}: without a store, several would not keep the limits together")
    return 1


async def _apply_topology(broker: Broker, report: Report) -> None:
    from fleet_chassis.topology import apply  # late: loads the AMQP library

    watch = Stopwatch()
    topology = await apply(broker.url)
    report(
        f"topology: {len(topology.exchanges)} exchanges and {len(topology.queues)} queues, applied in {watch}"
    )


async def _with_upstream(
    parts: AsyncExitStack,
    backends: Backends,
    report: Report,
    plan: Plan,
    environ: Mapping[str, str],
    logs: Path,
) -> LocalStack:
    from fleet_simulator.config import DEFAULT_KEY

    given = None if plan.only_simulator else given_upstream(environ, placeholder_key=DEFAULT_KEY)
    simulator: Child | None = None
    if given is None:
        watch = Stopwatch()
        simulator, base_url = await start_simulator(environ, logs, plan.simulator_speed)
        parts.push_async_callback(simulator.stop, grace_s=STOP_GRACE_S)
        report(f"upstream: a simulator at {base_url}, ready in {watch}")
        addresses = backends.addresses(base_url, DEFAULT_KEY)
    else:
        report(given.line)
        addresses = backends.addresses(given.base_url, given.api_key)
    own = worker_environment(environ, addresses)
    return LocalStack(backends.broker, backends.store, addresses, own, logs, report, simulator)


def worker_environment(environ: Mapping[str, str], addresses: Addresses) -> dict[str, str]:
    """What a worker of the stack is told: the stack's addresses over the user's own settings."""
    defaults = {"FLEET_DRAIN_S": str(DRAIN_S)}
    addressed = {name: value for name, value in addresses.variables().items() if value}
    here = {"FLEET_HEALTH_HOST": "127.0.0.1", "FLEET_HEALTH_PORT": "0", "PYTHONUNBUFFERED": "1"}
    return {**defaults, **environ, **addressed, **here}
