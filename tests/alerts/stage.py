"""The fleet of docker-compose.yml under the hurried rules: asked all the time, broken, and listened to."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from alerts.asker import UNREAD, Asker, an_asker
from alerts.hurried import hurried
from fleet_cli.stack.errors import StackError
from harness.compose import ROOT, Composed, composed

PROMETHEUS = ROOT / "deploy/prometheus"
WORKERS = 2
SETTINGS = {
    # Few, so that a backlog is one with a few hundred requests.
    "FLEET_CONCURRENCY": "10",
    "FLEET_BALANCE_POLL_S": "1",
    "FLEET_RETRY_BUDGET": "100",
    "FLEET_ACCOUNT_LOOK_S": "2",
}
TRICKLE_S = 0.5
WORD: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "How do you do?"}],
    "max_tokens": 8,
    "thinking": {"type": "disabled"},
    "stream": True,
}


@dataclass(frozen=True)
class Stage:
    """What a fault is made with."""

    fleet: Composed
    asker: Asker
    prometheus: httpx.AsyncClient
    simulator: httpx.AsyncClient

    async def firing(self) -> set[str]:
        """The alerts that fire now."""
        asked = {"query": 'count by (alertname) (ALERTS{alertstate="firing"})'}
        said = (await self.prometheus.get("/api/v1/query", params=asked)).json()
        return {series["metric"]["alertname"] for series in said["data"]["result"]}

    async def value(self, query: str) -> float | None:
        """What the first series of a query is now."""
        said = (await self.prometheus.get("/api/v1/query", params={"query": query})).json()
        found = said["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    async def inject(self, **fault: Any) -> None:
        """Put a fault in force in the simulator."""
        (await self.simulator.post("/_simulator/faults", json=fault)).raise_for_status()

    async def configure(self, **settings: Any) -> None:
        """Change the simulator."""
        (await self.simulator.post("/_simulator/config", json=settings)).raise_for_status()

    async def heal(self) -> None:
        """Take all the simulator's faults away."""
        (await self.simulator.delete("/_simulator/faults")).raise_for_status()

    async def ask(self, times: int = 1, tenant: str = "acme", reply_to: str = UNREAD, **changes: Any) -> None:
        """Ask so often, without waiting for answers."""
        for _ in range(times):
            await self.asker.ask({**WORD, **changes}, tenant, reply_to=reply_to)

    @asynccontextmanager
    async def asking(
        self, every_s: float, tenant: str = "acme", reply_to: str = UNREAD, **changes: Any
    ) -> AsyncGenerator[None]:
        """Ask again and again for the length of a block."""
        task = asyncio.create_task(self._ask_on(every_s, tenant, reply_to, changes))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _ask_on(self, every_s: float, tenant: str, reply_to: str, changes: Mapping[str, Any]) -> None:
        while True:
            # What befalls the broker is part of the play.
            with suppress(Exception):
                await self.ask(1, tenant, reply_to, **changes)
            await asyncio.sleep(every_s)


@asynccontextmanager
async def a_stage(environ: Mapping[str, str], folder: Path) -> AsyncGenerator[Stage]:
    """A fleet of its own under Docker, with a Prometheus that scrapes it every second."""
    async with composed(environ, files=(_written(folder),)) as fleet:
        await fleet.up("worker", "prometheus", workers=WORKERS)
        places = [await fleet.address(*place) for place in (("prometheus", 9090), ("simulator", 8080))]
        async with (
            httpx.AsyncClient(base_url=f"http://{places[0]}", timeout=10) as prometheus,
            httpx.AsyncClient(base_url=f"http://{places[1]}", timeout=10) as simulator,
            an_asker(await fleet.amqp_url()) as asker,
        ):
            stage = Stage(fleet, asker, prometheus, simulator)
            async with stage.asking(TRICKLE_S):
                yield stage


def _written(folder: Path) -> Path:
    """A compose file on top, and what Prometheus reads instead."""
    rules = folder / "prometheus"
    rules.mkdir(mode=0o755)
    folder.chmod(0o755)
    (rules / "alerts.yml").write_text(hurried((PROMETHEUS / "alerts.yml").read_text()))
    config = (PROMETHEUS / "prometheus.yml").read_text()
    (rules / "prometheus.yml").write_text(config.replace(": 15s", ": 1s").replace(": 10s", ": 1s"))
    for file in rules.iterdir():
        file.chmod(0o644)
    on_top = {
        "services": {
            "worker": {"environment": {**SETTINGS, "OTEL_EXPORTER_OTLP_ENDPOINT": ""}},
            "prometheus": {"volumes": [f"{rules}:/etc/prometheus:ro"]},
        }
    }
    (folder / "alerts.compose.json").write_text(json.dumps(on_top))
    return folder / "alerts.compose.json"


async def seconds_until(stage: Stage, wanted: set[str], within_s: float) -> tuple[dict[str, float], set[str]]:
    """After how long each of the `wanted` fired, and what fired beside them."""
    began, seen, beside = time.monotonic(), dict[str, float](), set[str]()
    while time.monotonic() - began < within_s and wanted - seen.keys():
        with suppress(httpx.HTTPError):
            firing = await stage.firing()
            beside |= firing - wanted
            for alert in firing & wanted - seen.keys():
                seen[alert] = time.monotonic() - began
        await asyncio.sleep(0.5)
    return seen, beside


async def until_silent(stage: Stage, within_s: float) -> set[str]:
    """Wait until nothing fires; what still does then."""
    began = time.monotonic()
    firing: set[str] = {"nothing is known"}
    while firing and time.monotonic() - began < within_s:
        await asyncio.sleep(0.5)
        with suppress(httpx.HTTPError):
            firing = await stage.firing()
    return firing


async def quietly(stage: Stage, *arguments: str) -> None:
    """A compose command that may fail, as where a container is gone already."""
    with suppress(StackError):
        await stage.fleet.compose(*arguments)
