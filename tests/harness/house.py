"""A worker with real parts on this event loop: real RabbitMQ, real HTTP to a simulator."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fleet_simulator.config import DEFAULT_KEY, SimulatorConfig
from fleet_simulator.server import Running, serve
from fleet_worker.bootstrap import Worker, start_worker
from fleet_worker.settings import WorkerSettings
from harness.caller import Caller, a_caller

PLAIN_PUBLISH = False
"""Whether the workers of a test publish by the public API; see the fixture `plain_publish`."""


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a test of the worker needs."""

    url: str
    simulator: Running
    worker: Worker
    caller: Caller


def worker_settings(url: str, base_url: str, **changes: Any) -> WorkerSettings:
    """Settings as the environment would give them; pauses are short."""
    return WorkerSettings.model_validate(
        {
            "AMQP_URL": url,
            "DEEPSEEK_API_KEY": DEFAULT_KEY,
            "DEEPSEEK_BASE_URL": base_url,
            "health_host": "127.0.0.1",
            "health_port": 0,
            "worker_name": "w-1",
            "retry_base_s": 0.02,
            "retry_longest_s": 0.1,
            "plain_publish": PLAIN_PUBLISH,
            **changes,
        }
    )


@asynccontextmanager
async def a_house(
    url: str, simulator: SimulatorConfig | None = None, **settings: Any
) -> AsyncGenerator[House]:
    """A fleet of one worker where the topology is, with a simulator that has no delays unless told."""
    async with (
        serve(simulator or SimulatorConfig().at_once()) as running,
        start_worker(worker_settings(url, running.base_url, **settings)) as worker,
        a_caller(url) as caller,
    ):
        yield House(url, running, worker, caller)
