"""The project's docker-compose.yml under a name and on ports of a run's own, and what it leaves."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from fleet_cli.stack.command import run
from fleet_cli.stack.containers.engine import answering_engine
from fleet_cli.stack.errors import StackError

ROOT = Path(__file__).parents[2]
UP_DEADLINE_S = 600.0
DOWN_DEADLINE_S = 120.0
COMMAND_DEADLINE_S = 30.0
# A run that fails ends its workers at once; one that passes has nothing left for them to drain.
DOWN_GRACE_S = 20
# The engine gives a free port where none is named.
PORTS = ("AMQP_PORT", "MANAGEMENT_PORT", "SIMULATOR_PORT", "HEALTH_PORT")
TELEMETRY_PORTS = ("PROMETHEUS_PORT", "GRAFANA_PORT", "JAEGER_PORT", "OTLP_PORT")
ANY_PORT = dict.fromkeys((*PORTS, *TELEMETRY_PORTS), "0")


class Composed:
    """A compose project of its own name; nothing runs until it is brought up."""

    def __init__(self, environ: Mapping[str, str], files: Sequence[Path] = ()) -> None:
        self.project = f"fleet-test-{uuid4().hex[:8]}"
        self._files = [f"--file={file}" for file in (ROOT / "docker-compose.yml", *files)]
        self.image = f"{self.project}-image"
        self.environ = {**environ, **ANY_PORT, "IMAGE": self.image}

    @property
    def networks(self) -> list[str]:
        """The engine's names of the networks that a worker is in."""
        return [f"{self.project}_default", f"{self.project}_store"]

    async def build(self, tree: Path, image: str) -> None:
        """Build an image of the code in a folder."""
        command = ("docker", "build", "--quiet", "--file", "deploy/Dockerfile", "--tag", image, ".")
        await run(command, environ=self.environ, deadline_s=UP_DEADLINE_S, folder=tree)

    async def roll(self, deadline_s: float, **variables: str) -> None:
        """Replace the workers as the runbook says."""
        environ = {**self.environ, "COMPOSE_PROJECT_NAME": self.project, **variables}
        await run((str(ROOT / "deploy/roll.sh"),), environ=environ, deadline_s=deadline_s, folder=ROOT)

    async def up(self, *services: str, workers: int, build: bool = True, **variables: str) -> None:
        """Build and start what is missing or has changed, with what it stands on; the fleet alone if unnamed.

        Returns when all of it is healthy.
        """
        arguments = ("up", *["--build"] * build, "--detach", "--wait", "--scale", f"worker={workers}")
        wanted = services or ("worker",)
        await self.compose(*arguments, *wanted, deadline_s=UP_DEADLINE_S, **variables)

    async def down(self) -> None:
        """Take everything down, with its data and the image that was built for it."""
        arguments = ("down", "--volumes", "--remove-orphans", "--timeout", str(DOWN_GRACE_S))
        await self.compose(*arguments, deadline_s=DOWN_DEADLINE_S)
        if images := await self.docker("image", "ls", "--quiet", self.image):
            await self.docker("image", "rm", "--force", *set(images))

    async def left(self) -> list[str]:
        """What the engine still holds of this project: containers, networks, volumes, the image."""
        ours = ("--quiet", "--filter", f"label=com.docker.compose.project={self.project}")
        return [
            *await self.docker("ps", "--all", *ours),
            *await self.docker("network", "ls", *ours),
            *await self.docker("volume", "ls", *ours),
            *await self.docker("image", "ls", "--quiet", self.image),
        ]

    async def amqp_url(self) -> str:
        """Where the broker is published, with the user that compose gives it."""
        return f"amqp://fleet:fleet@{await self.address('rabbitmq', 5672)}/"

    async def workers(self) -> list[str]:
        """The host names of the running workers, which their replies begin with."""
        identities = await self.compose("ps", "--quiet", "--status", "running", "worker")
        return [identity[:12] for identity in identities.split()]

    async def inject(self, **fault: Any) -> None:
        """Put a fault in force in the simulator."""
        address = await self.address("simulator", 8080)
        post = Request(
            f"http://{address}/_simulator/faults",
            data=json.dumps(fault).encode(),
            headers={"content-type": "application/json"},
        )
        (await asyncio.to_thread(urlopen, post, timeout=COMMAND_DEADLINE_S)).close()

    async def calls(self) -> int:
        """How many calls the simulator has let in, which is how many are paid."""
        address = await self.address("simulator", 8080)
        log = f"http://{address}/_simulator/log"
        with await asyncio.to_thread(urlopen, log, timeout=COMMAND_DEADLINE_S) as answer:
            return sum(json.loads(line)["event"] == "admitted" for line in answer)

    async def kill(self, container: str) -> None:
        """End a container as a power cut would."""
        await self.docker("kill", container)

    async def stop(self, container: str) -> int:
        """Ask a container to end, with the grace that compose gave it; its exit status."""
        await self.docker("stop", container)
        (status,) = await self.docker("inspect", "--format", "{{.State.ExitCode}}", container)
        return int(status)

    async def address(self, service: str, port: int) -> str:
        """Where a port of a service is published."""
        return (await self.compose("port", service, str(port))).strip()

    async def compose(self, *arguments: str, deadline_s: float = COMMAND_DEADLINE_S, **variables: str) -> str:
        """Run a compose command on this project; what it prints. Raises StackError where it fails."""
        command = ("docker", "compose", *self._files, "--project-name", self.project, "--progress", "quiet")
        environ = {**self.environ, **variables}
        return await run((*command, *arguments), environ=environ, deadline_s=deadline_s, folder=ROOT)

    async def docker(self, *arguments: str) -> list[str]:
        """Run a command of Docker's; the words that it prints."""
        command = ("docker", *arguments)
        return (await run(command, environ=self.environ, deadline_s=COMMAND_DEADLINE_S)).split()


@asynccontextmanager
async def composed(
    environ: Mapping[str, str], files: Sequence[Path] = (), **variables: str
) -> AsyncGenerator[Composed]:
    """A project that is taken down in the end; skips the test where no engine or no compose answers.

    `files` are compose files on top of the project's own.
    """
    engine = await answering_engine(environ)
    if engine is None:
        pytest.skip("no Docker engine answers on this machine")
    spoken_to = {**environ, "DOCKER_HOST": engine, **variables}
    try:
        await run(("docker", "compose", "version"), environ=spoken_to, deadline_s=COMMAND_DEADLINE_S)
    except (StackError, FileNotFoundError) as why:
        pytest.skip(f"there is a Docker engine, but no docker compose: {why}")
    project = Composed(spoken_to, files)
    try:
        yield project
    finally:
        await project.down()
