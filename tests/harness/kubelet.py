"""Asks a pod's probes as the kubelet does, and remembers what it would have done."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.pods import Pod


@dataclass
class Seen:
    """What the probes said, by a monotonic clock in seconds."""

    started_at: float | None = None
    ready: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    """Each change of whether the pod is ready."""
    restarts: list[str] = field(default_factory=list[str])
    """Each time that the kubelet would have ended the container, with the reason."""

    @property
    def is_ready(self) -> bool:
        return bool(self.ready) and self.ready[-1][1]


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a container, with Kubernetes' own defaults."""

    path: str
    period_s: float
    timeout_s: float
    failures: int

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Probe":
        return cls(
            told["httpGet"]["path"],
            float(told.get("periodSeconds", 10)),
            float(told.get("timeoutSeconds", 1)),
            int(told.get("failureThreshold", 3)),
        )

    async def answers(self, client: httpx.AsyncClient) -> bool:
        with suppress(httpx.HTTPError):
            return (await client.get(self.path, timeout=self.timeout_s)).is_success
        return False


@asynccontextmanager
async def watched(pod: Pod) -> AsyncGenerator[Seen]:
    """Probe a pod while the block runs: until it has started, then whether it lives and is ready."""
    seen = Seen()
    watching = asyncio.create_task(_watch(pod, seen))
    try:
        yield seen
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _watch(pod: Pod, seen: Seen) -> None:
    probes = {
        name: Probe.of(pod.manifest.container[f"{name}Probe"])
        for name in ("startup", "liveness", "readiness")
    }
    async with httpx.AsyncClient(base_url=pod.url) as client:
        await _until_started(client, probes["startup"], seen)
        await asyncio.gather(
            _look_for_life(client, probes["liveness"], seen),
            _look_for_readiness(client, probes["readiness"], seen),
        )


async def _until_started(client: httpx.AsyncClient, probe: Probe, seen: Seen) -> None:
    for _ in range(probe.failures):
        if await probe.answers(client):
            seen.started_at = time.monotonic()
            return
        await asyncio.sleep(probe.period_s)
    seen.restarts.append("it did not start in time")


async def _look_for_life(client: httpx.AsyncClient, probe: Probe, seen: Seen) -> None:
    failed = 0
    while True:
        failed = 0 if await probe.answers(client) else failed + 1
        if failed == probe.failures:
            seen.restarts.append("it did not say that it lives")
        await asyncio.sleep(probe.period_s)


async def _look_for_readiness(client: httpx.AsyncClient, probe: Probe, seen: Seen) -> None:
    failed = 0
    while True:
        failed = 0 if await probe.answers(client) else failed + 1
        ready = not failed or (seen.is_ready and failed < probe.failures)
        if ready != seen.is_ready:
            seen.ready.append((time.monotonic(), ready))
        await asyncio.sleep(probe.period_s)
