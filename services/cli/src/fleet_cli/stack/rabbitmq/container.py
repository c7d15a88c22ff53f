"""A broker in a container, where a Docker engine answers."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_cli.stack.engine import docker_answers
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.ports import LOOPBACK, free_ports
from fleet_cli.stack.rabbitmq.broker import Broker, handshake
from fleet_cli.stack.rabbitmq.node_settings import completed, configuration

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = "rabbitmq:4.3-alpine"
AMQP_PORT = 5672
USER = "fleet"
CONFIGURATION = "/etc/rabbitmq/conf.d/20-fleet.conf"
DEFINITIONS = Path("/etc/rabbitmq/fleet-definitions.json")
START_DEADLINE_S = 600.0
SERVE_DEADLINE_S = 90.0
SERVE_PAUSE_S = 0.2
STOP_GRACE_S = 10


class ContainerControl:
    """Power over the broker in a container, by way of the engine."""

    def __init__(self, container: "DockerContainer", url: str) -> None:
        self._container = container
        self._url = url

    async def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl in the container; its output. Raises StackError if it fails."""
        result = await asyncio.to_thread(self._container.exec, ["rabbitmqctl", "--quiet", *arguments])
        text = result.output.decode(errors="replace")
        if result.exit_code:
            raise StackError(
                f"rabbitmqctl {arguments[0]} failed with status {result.exit_code}: {text.strip()}"
            )
        return text

    async def evaluate(self, expression: str) -> str:
        """Let the node evaluate an Erlang expression; raises StackError if that fails."""
        return await self.ctl("eval", expression)

    async def start(self) -> None:
        """Start the container again; returns when its broker serves."""
        await asyncio.to_thread(self._container.get_wrapped_container().start)
        await serving(self._url)

    async def stop(self) -> None:
        """Stop the container, by force after 10 s."""
        await asyncio.to_thread(self._container.get_wrapped_container().stop, timeout=STOP_GRACE_S)

    async def kill(self) -> None:
        """Kill the container; what its broker had on disk stays."""
        await asyncio.to_thread(self._container.get_wrapped_container().kill)


async def serving(url: str) -> str:
    """Wait until the broker at `url` serves; its version. Raises StackError after 90 s."""
    try:
        async with asyncio.timeout(SERVE_DEADLINE_S):
            while True:
                # Asked again and again: an engine does not tell when the program inside is ready.
                try:
                    return await handshake(url)
                except (OSError, StackError):
                    await asyncio.sleep(SERVE_PAUSE_S)
    except TimeoutError as late:
        raise StackError(f"the container of {IMAGE} did not serve within {SERVE_DEADLINE_S:.0f} s") from late


@asynccontextmanager
async def container_broker(environ: Mapping[str, str], definitions: Path | None) -> AsyncGenerator[Broker]:
    """A broker in a container of its own; raises UnavailableError where no engine can start one."""
    if not await docker_answers(environ):
        raise UnavailableError("no Docker engine answers")
    password = secrets.token_urlsafe(16)
    (port,) = free_ports(1)
    url = f"amqp://{USER}:{password}@{LOOPBACK}:{port}/"
    container = await _start(port, password, definitions)
    try:
        yield Broker(url, await serving(url), USER, ContainerControl(container, url))
    finally:
        await asyncio.to_thread(container.stop)


async def _start(port: int, password: str, definitions: Path | None) -> "DockerContainer":
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            container = await asyncio.to_thread(_describe, port, password, definitions)
            return await asyncio.to_thread(container.start)
    except Exception as trouble:  # the engine's library promises no closed set of errors
        raise UnavailableError(f"Docker could not start {IMAGE} ({trouble})") from trouble


def _describe(port: int, password: str, definitions: Path | None) -> "DockerContainer":
    from testcontainers.core.container import DockerContainer  # late: it takes a second to load

    target = None if definitions is None else DEFINITIONS
    container = DockerContainer(IMAGE).with_bind_ports(AMQP_PORT, port)
    container.with_envs(RABBITMQ_DEFAULT_USER=USER, RABBITMQ_DEFAULT_PASS=password)
    container.with_copy_into_container(configuration(target, console=True).encode(), CONFIGURATION)
    if definitions is not None:
        loaded = completed(json.loads(definitions.read_text()), USER, password)
        container.with_copy_into_container(json.dumps(loaded).encode(), str(DEFINITIONS))
    return container
