"""Workers and a simulator as real processes, which can be killed."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from fleet_cli.stack.child import Child
from fleet_cli.stack.processes import WORKER_READY, start_worker
from fleet_simulator.config import DEFAULT_KEY

GRACE_S = 10.0
READY_DEADLINE_S = 30.0
TESTS = Path(__file__).parents[1]


@dataclass
class Fleet:
    """Worker processes on one virtual host, all told the same settings."""

    environ: dict[str, str]
    logs: Path
    workers: list[Child] = field(default_factory=list[Child])
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def start_worker(self, **settings: str) -> Child:
        name = f"worker-{next(self._numbers)}"
        environ = {**self.environ, "FLEET_WORKER_NAME": name, **settings}
        worker, _ = await start_worker(name, environ, self.logs)
        self.workers.append(worker)
        return worker

    async def start_failing_worker(self, point: str, mark: Path, **settings: str) -> Child:
        """One that dies at `point` of the protocol, unless the file `mark` says that another one did."""
        return await self.start_odd_worker({"POINT": point, "MARK": str(mark)}, **settings)

    async def start_odd_worker(self, odd: Mapping[str, str], **settings: str) -> Child:
        """One that does something amiss: the variables of `chaos.failing_worker`, without `CHAOS_`."""
        name = f"failing-{next(self._numbers)}"
        environ = {
            **self.environ,
            **settings,
            "FLEET_WORKER_NAME": name,
            "PYTHONPATH": str(TESTS),
            **{f"CHAOS_{variable}": value for variable, value in odd.items()},
        }
        command = (sys.executable, "-m", "chaos.failing_worker")
        worker = await Child.start(name, command, environ=environ, log=self.logs / f"{name}.log")
        self.workers.append(worker)
        await worker.wait_for_line(WORKER_READY, deadline_s=READY_DEADLINE_S)
        return worker

    def log_of(self, worker: Child) -> str:
        return (self.logs / f"{worker.name}.log").read_text()


@asynccontextmanager
async def a_fleet(url: str, base_url: str, logs: Path, **settings: str) -> AsyncGenerator[Fleet]:
    """No workers yet; whatever is started ends with it."""
    environ = {
        **os.environ,  # noqa: TID251  # a child process needs the PATH and HOME of this one
        "AMQP_URL": url,
        "DEEPSEEK_BASE_URL": base_url,
        "DEEPSEEK_API_KEY": DEFAULT_KEY,
        "REDIS_URL": "",
        "FLEET_HEALTH_HOST": "127.0.0.1",
        "FLEET_HEALTH_PORT": "0",
        "FLEET_RETRY_BASE_S": "0.02",
        "FLEET_LOG_FORMAT": "json",
        **settings,
    }
    fleet = Fleet(environ, logs)
    async with AsyncExitStack() as ends:
        ends.push_async_callback(_stop_all, fleet)
        yield fleet


async def _stop_all(fleet: Fleet) -> None:
    await asyncio.gather(*(worker.stop(grace_s=GRACE_S) for worker in fleet.workers))
