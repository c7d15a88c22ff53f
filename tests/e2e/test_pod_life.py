"""A worker's pod with the limits, rights, probes and grace of the chart, under load and at its end."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleet_simulator.answers import expected_text
from fleet_simulator.config import DEFAULT_KEY
from harness.caller import TERMINAL, Caller, a_caller, text_of
from harness.cgroups import Spent
from harness.charts import HELM_FOLDER, helm_of, manifests_in
from harness.compose import Composed, composed
from harness.kubelet import Seen, watched
from harness.pods import Pod, PodManifest, a_pod, secret_files, worker_pod
from harness.waiting import until

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(900)]

PATIENCE_S = 90.0
REDELIVERED_S = 20.0
"""No reader waits longer for the new attempt: on a machine at rest it takes less than a second."""
REQUESTS, A_SECOND = 90, 10
DRAIN_S = 6
"""In place of the chart's 840 s; the chart makes the grace of it, as it does of those."""
SMALL = HELM_FOLDER / "examples/small.yaml"
UPSTREAM = "http://simulator:8080"
SECRETS = {
    "AMQP_URL": "amqp://fleet:fleet@rabbitmq:5672/",
    "REDIS_URL": "redis://valkey:6379/0",
    "DEEPSEEK_API_KEY": DEFAULT_KEY,
}
# Most answers are there within the drain; these are begun again elsewhere.
SLOWLY: dict[str, Any] = {"kind": "pace", "tokens_per_second": 15, "match": {"prompt": "lighthouse"}}


@dataclass
class Told:
    """What one caller heard of each of its requests, and when."""

    asked_at: dict[str, float] = field(default_factory=dict[str, float])
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    replies: dict[str, list[tuple[float, dict[str, Any]]]] = field(
        default_factory=dict[str, list[tuple[float, dict[str, Any]]]]
    )

    def of(self, identity: str) -> list[dict[str, Any]]:
        return [reply for _, reply in self.replies.get(identity, [])]

    def open_with(self, worker: str) -> list[str]:
        """The requests that this worker has begun and nobody has ended."""
        return [
            identity
            for identity in self.bodies
            if any(reply["kind"] == "accepted" and reply["worker"] == worker for reply in self.of(identity))
            and not self.ended(identity)
        ]

    def ended(self, identity: str) -> list[dict[str, Any]]:
        return [reply for reply in self.of(identity) if reply["kind"] in TERMINAL]

    def restarted(self) -> list[str]:
        return [each for each in self.bodies if any(reply["kind"] == "restarted" for reply in self.of(each))]

    def silence_s(self, identity: str) -> float:
        """How long nothing came before the new attempt was announced."""
        replies = self.replies[identity]
        place = next(n for n, (_, reply) in enumerate(replies) if reply["kind"] == "restarted")
        return replies[place][0] - replies[place - 1][0]

    def begun_after_s(self, identity: str) -> float:
        return self.replies[identity][0][0] - self.asked_at[identity]


async def ask_steadily(caller: Caller, told: Told) -> None:
    for number in range(REQUESTS):
        what = "lighthouse" if number % 3 == 0 else "river"
        body = {
            "model": "deepseek-flash",
            "messages": [{"role": "user", "content": f"What is {what} number {number} for?"}],
            "stream": True,
        }
        asked_at = time.monotonic()
        identity = await caller.ask(body, correlation_id=f"pod-{number}")
        told.asked_at[identity], told.bodies[identity] = asked_at, body
        await asyncio.sleep(1 / A_SECOND)


async def listen(caller: Caller, told: Told) -> None:
    while True:
        reply = await caller.next(PATIENCE_S)
        told.replies.setdefault(reply["correlation_id"], []).append((time.monotonic(), reply))


async def small_pod(folder: Path, environ: Mapping[str, str]) -> PodManifest:
    """The workers' pod of the small example, with a shorter drain and with the simulator as its upstream."""
    told = {
        "workers.drainSeconds": str(DRAIN_S),
        "settings.DEEPSEEK_BASE_URL": UPSTREAM,
        "networkPolicy.upstream.ports": "{8080}",
    }
    given = [part for name, value in told.items() for part in ("--set", f"{name}={value}")]
    ended = await (await helm_of(folder, environ)).template("--values", SMALL, *given)
    assert ended.status == 0, ended.complaint
    return worker_pod(manifests_in(ended.out))


@asynccontextmanager
async def two_pods(
    fleet: Composed, manifest: PodManifest, folder: Path
) -> AsyncGenerator[list[tuple[Pod, Seen]]]:
    secrets = secret_files(folder / "secrets", manifest, SECRETS)
    names = [f"{fleet.project}-pod-{letter}" for letter in "ab"]
    async with (
        a_pod(names[0], manifest, fleet.environ, fleet.image, secrets, fleet.networks) as first,
        a_pod(names[1], manifest, fleet.environ, fleet.image, secrets, fleet.networks) as second,
        watched(first) as of_first,
        watched(second) as of_second,
    ):
        await until(lambda: of_first.is_ready and of_second.is_ready, deadline_s=PATIENCE_S)
        yield [(first, of_first), (second, of_second)]


async def played(fleet: Composed, leaving: Pod, told: Told) -> tuple[Spent, float]:
    """Ask steadily, take one pod away meanwhile, and await every end; what it had used, the s it took."""
    async with a_caller(await fleet.amqp_url()) as caller:
        listening = asyncio.create_task(listen(caller, told))
        asking = asyncio.create_task(ask_steadily(caller, told))
        try:
            await until(lambda: len(told.open_with(leaving.name)) >= 10, deadline_s=PATIENCE_S)
            used = await leaving.spent()
            took_s = await leaving.terminate()
            await asking
            await until(lambda: all(map(told.ended, told.bodies)), deadline_s=PATIENCE_S)
            # What comes twice comes soon.
            await asyncio.sleep(1)
        finally:
            for task in (listening, asking):
                task.cancel()
            await asyncio.gather(listening, asking, return_exceptions=True)
        return used, took_s


async def test_a_pod_that_is_taken_away_under_load_loses_doubles_and_delays_nothing(
    private_environ: Mapping[str, str], tmp_path: Path
):
    manifest, told = await small_pod(tmp_path, private_environ), Told()
    async with composed(private_environ) as fleet:
        await fleet.up(workers=1)
        # Compose's own worker was wanted for what it depends on.
        await fleet.stop(*(await fleet.workers()))
        await fleet.inject(**SLOWLY)
        async with two_pods(fleet, manifest, tmp_path) as ((leaving, of_leaving), (staying, of_staying)):
            used, took_s = await played(fleet, leaving, told)
            restarts = [*of_leaving.restarts, *of_staying.restarts]
            used_by_other, end, log = await staying.spent(), await leaving.end(), await leaving.log()
            starts_s = [
                seen.ready[0][0] - pod.started_at
                for pod, seen in ((leaving, of_leaving), (staying, of_staying))
            ]
            paid = await fleet.calls()

    restarted = told.restarted()
    silence_s = max(map(told.silence_s, restarted), default=0)
    begun_s = max(map(told.begun_after_s, told.bodies))
    figures = (
        f"ready after {min(starts_s):.1f} to {max(starts_s):.1f} s, gone {took_s:.1f} s after SIGTERM"
        f" (grace {manifest.grace_s:.0f}); {len(restarted)} of {REQUESTS} begun again, after"
        f" {silence_s:.2f} s at most; all begun within {begun_s:.2f} s; of {manifest.memory >> 20} MiB"
        f" {used.most_bytes >> 20} and {used_by_other.most_bytes >> 20}, CPU {used.cpu_s:.1f} and"
        f" {used_by_other.cpu_s:.1f} s, held back {used.throttled} and {used_by_other.throttled} times\n"
    )
    sys.stdout.write(figures)
    for identity, body in told.bodies.items():
        assert_answered_once(told, identity, body)
    # Some outlasted the drain, and nothing else was paid for twice.
    assert restarted
    assert paid == REQUESTS + len(restarted), figures
    assert max(silence_s, begun_s) < REDELIVERED_S, figures
    assert took_s < manifest.grace_s, figures
    assert end == (0, False)
    assert "drain ended" in log
    assert [ready for _, ready in of_leaving.ready] == [True, False]
    assert [ready for _, ready in of_staying.ready] == [True]
    # The kubelet would have let both be, also the one that drained.
    assert restarts == []
    assert used.oom_kills == used_by_other.oom_kills == 0
    assert max(used.most_bytes, used_by_other.most_bytes) < manifest.memory, figures


def assert_answered_once(told: Told, identity: str, body: dict[str, Any]) -> None:
    replies = told.of(identity)
    (end,) = told.ended(identity)
    assert (end["kind"], end["degraded"]) == ("result", False), end
    place = next((n for n, reply in enumerate(replies) if reply["kind"] == "restarted"), 0)
    assert text_of(replies[place:]) == expected_text(body)[1]
    assert end["attempt"] == (2 if place else 1)
