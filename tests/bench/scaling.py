"""Records what two real workers make of a load, second by second, to hold the autoscaler's model against.

Broker, store and workers are real; the upstream is the simulator. Takes four minutes.

Run: `PYTHONPATH=tests .venv/bin/python tests/bench/scaling.py`. It writes `tests/model/recorded.json`; what
follows from it, the picture, is drawn by `make chart`.
"""

import asyncio
import json
import re
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from bench.stage import private
from fleet_chassis.topology import apply
from fleet_cli.stack.processes import WORKER_READY
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.server import serve
from harness.broker import shared_broker
from harness.caller import TERMINAL, Caller, a_caller
from harness.processes import Fleet, a_fleet
from harness.store import a_store

RECORDED = Path(__file__).parents[1] / "model/recorded.json"
WORKERS, CONCURRENCY = 2, 20
LASTS_S, ENDS_S = 200, 120.0
CALLS = SimulatorConfig(timing=Timing(headers=0.4, first_token=0.2, tokens_per_second=16))
"""From seven to twenty seconds each."""


@dataclass
class Recorded:
    """What happened, a figure for each second."""

    workers: int = WORKERS
    concurrency: int = CONCURRENCY
    asked: list[int] = field(default_factory=list[int])
    open: list[int] = field(default_factory=list[int])
    """Requests that were asked and not answered: ready, or with a worker."""
    in_flight: list[int] = field(default_factory=list[int])
    useful: list[int] = field(default_factory=list[int])
    calls_s: list[float] = field(default_factory=list[float])
    """How long each call took."""
    ready_s: float = 0.0
    """From a worker's start to the first request that it could take."""
    drain_s: float = 0.0
    """From SIGTERM to a worker's end."""
    last_call_s: float = 0.0
    """From the same SIGTERM to the answer of the last call that it had."""


def rate(second: int) -> float:
    """Calm, a burst that is more than the workers carry, calm again."""
    return 8.0 if 60 <= second < 90 else 1.5


class Load:
    """Who asks, and counts what is open."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.asked = 0
        self.ended = 0
        self.begun: dict[str, tuple[str, float]] = {}
        self.ended_at: dict[str, float] = {}
        self.calls_s: list[float] = []

    async def ask(self) -> None:
        self.asked += 1
        messages = [{"role": "user", "content": f"Tell me of place {self.asked}"}]
        await self._caller.ask({"model": "deepseek-flash", "messages": messages, "stream": True})

    async def listen(self) -> None:
        while True:
            reply = await self._caller.next(ENDS_S)
            identity, now = reply["correlation_id"], time.monotonic()
            if reply["kind"] == "accepted":
                self.begun[identity] = (reply["worker"], now)
            elif reply["kind"] in TERMINAL:
                self.ended += 1
                self.ended_at[identity] = now
                self.calls_s.append(now - self.begun[identity][1])


async def record(load: Load, scale_url: str, told: Recorded, asking: httpx.AsyncClient) -> None:
    """Ask for so long as `LASTS_S` says, and write down each second."""
    owed, begun = 0.0, time.monotonic()
    for second in range(LASTS_S):
        owed += rate(second)
        count, owed = int(owed), owed % 1
        for _ in range(count):
            await load.ask()
            await asyncio.sleep(0.8 / count)
        await asyncio.sleep(max(0.0, begun + second + 1 - time.monotonic()))
        scale = (await asking.get(scale_url)).raise_for_status().json()
        told.asked.append(count)
        told.open.append(load.asked - load.ended)
        told.in_flight.append(scale["in_flight"])
        told.useful.append(scale["useful"])
    told.calls_s = [round(seconds, 2) for seconds in load.calls_s]


async def drain(fleet: Fleet, load: Load, told: Recorded) -> None:
    """Take one worker away while it has calls."""
    leaving = fleet.workers[0]
    mine = [identity for identity, (worker, _) in load.begun.items() if worker == leaving.name]
    begun = time.monotonic()
    leaving.signal(signal.SIGTERM)
    await leaving.wait()
    told.drain_s = round(time.monotonic() - begun, 2)
    async with asyncio.timeout(ENDS_S):
        while load.ended < load.asked:  # noqa: ASYNC110 - a bench has time
            await asyncio.sleep(0.1)
    told.last_call_s = round(max(load.ended_at[identity] for identity in mine) - begun, 2)


@asynccontextmanager
async def ground(environ: Mapping[str, str], logs: Path) -> AsyncGenerator[tuple[Fleet, Caller]]:
    """Broker, store and simulator, and no worker yet."""
    async with AsyncExitStack() as parts:
        broker = parts.enter_context(shared_broker(environ))
        url = await broker.add_vhost("recorded")
        await apply(url)
        store = await parts.enter_async_context(a_store(environ))
        simulator = await parts.enter_async_context(serve(CALLS))
        limits = {"FLEET_CONCURRENCY": str(CONCURRENCY), "FLEET_DRAIN_S": "60"}
        settings = {"REDIS_URL": store.url, **limits}
        fleet = await parts.enter_async_context(a_fleet(url, simulator.base_url, logs, **settings))
        yield fleet, await parts.enter_async_context(a_caller(url))


async def main() -> None:
    told = Recorded()
    with tempfile.TemporaryDirectory() as folder:
        async with ground(private(), Path(folder)) as (fleet, caller):
            begun = time.monotonic()
            await fleet.start_worker()
            told.ready_s = round(time.monotonic() - begun, 2)
            await fleet.start_worker()
            load = Load(caller)
            listening = asyncio.create_task(load.listen())
            try:
                async with httpx.AsyncClient() as asking:
                    await record(load, f"{_health_of(fleet)}/scale", told, asking)
                await drain(fleet, load, told)
            finally:
                listening.cancel()
    RECORDED.write_text(json.dumps(asdict(told)) + "\n")


def _health_of(fleet: Fleet) -> str:
    """Where the last worker answers: the first one is going to leave."""
    found = re.search(WORKER_READY, fleet.log_of(fleet.workers[-1]), re.MULTILINE)
    assert found, "no worker is ready"
    return found[1]


if __name__ == "__main__":
    asyncio.run(main())
