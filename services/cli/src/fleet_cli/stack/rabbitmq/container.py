"""A broker in a container, where a Docker engine answers."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleet_cli.stack.engine import answering_engine
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.ports import LOOPBACK, free_ports
from fleet_cli.stack.rabbitmq.broker import Broker, handshake
from fleet_cli.stack.rabbitmq.evaluation import evaluated
from fleet_cli.stack.rabbitmq.node_settings import completed, configuration
from fleet_cli.stack.rabbitmq.removal import removed_at_the_end

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = "rabbitmq:4.3-alpine"
AMQP_PORT = 5672
USER = "fleet"
CONFIGURATION = "/etc/rabbitmq/conf.d/20-fleet.conf"
DEFINITIONS = Path("/etc/rabbitmq/fleet-definitions.json")
# Six times as fast as `rabbitmqctl eval`; it lies beside the Erlang that runs.
ERL_CALL = """
erl_call=$(ls "$(dirname "$(readlink -f "$(command -v erl)")")"/../lib/erl_interface-*/bin/erl_call) || exit
printf '%s\\n' "$1" | "$erl_call" -sname "rabbit@$(hostname)" -c "$(cat "$HOME/.erlang.cookie")" -e
"""
START_DEADLINE_S = 600.0
SERVE_DEADLINE_S = 90.0
SERVE_PAUSE_S = 0.2
PROBE_DEADLINE_S = 5.0
# What a client says first, and how a broker's answer begins (AMQP 0-9-1, sections 2.2.4 and 2.3.5).
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"
STOP_GRACE_S = 10


class ContainerControl:
    """Power over the broker in a container, by way of the engine."""

    def __init__(self, container: "DockerContainer", url: str) -> None:
        self._container = container
        self._url = url

    async def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl in the container; its output. Raises StackError if it fails."""
        return await self._run("rabbitmqctl", "--quiet", *arguments)

    async def evaluate(self, expression: str) -> str:
        """Let the node evaluate an Erlang expression; raises StackError if that fails."""
        return evaluated(expression, await self._run("sh", "-c", ERL_CALL, "erl_call", expression))

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

    async def _run(self, *command: str) -> str:
        result = await asyncio.to_thread(self._container.exec, list(command))
        text = result.output.decode(errors="replace")
        if result.exit_code:
            raise StackError(f"{command[0]} failed with status {result.exit_code}: {text.strip()}")
        return text


async def serving(url: str) -> str:
    """Wait until the broker at `url` serves; its version. Raises StackError after 90 s."""
    try:
        async with asyncio.timeout(SERVE_DEADLINE_S):
            while True:
                # Asked again and again: an engine does not tell when the program inside is ready.
                if await _speaks_amqp(url):
                    return await handshake(url)
                await asyncio.sleep(SERVE_PAUSE_S)
    except TimeoutError as late:
        raise StackError(f"the container of {IMAGE} did not serve within {SERVE_DEADLINE_S:.0f} s") from late


async def _speaks_amqp(url: str) -> bool:
    # By bare bytes: the engine accepts connections long before the broker does, and drops them, which the
    # AMQP library complains about at length.
    where = urlsplit(url)
    try:
        async with asyncio.timeout(PROBE_DEADLINE_S):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            try:
                writer.write(AMQP_HEADER)
                return await reader.read(1) == METHOD_FRAME
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


@asynccontextmanager
async def container_broker(environ: Mapping[str, str], definitions: Path | None) -> AsyncGenerator[Broker]:
    """A broker in a container of its own; raises UnavailableError where no engine can start one."""
    engine = await answering_engine(environ)
    if engine is None:
        raise UnavailableError("no Docker engine answers on this machine")
    engine_environ = {**environ, "DOCKER_HOST": engine}
    name = f"deepseek-fleet-{os.getpid()}-{secrets.token_hex(4)}"
    password = secrets.token_urlsafe(16)
    (port,) = free_ports(1)
    url = f"amqp://{USER}:{password}@{LOOPBACK}:{port}/"
    async with removed_at_the_end(name, engine_environ):
        container = await asyncio.to_thread(_describe, name, engine_environ, port, password, definitions)
        try:
            await _start(container)
            yield Broker(url, await serving(url), USER, ContainerControl(container, url))
        finally:
            container.get_docker_client().client.close()


async def _start(container: "DockerContainer") -> None:
    starting = asyncio.ensure_future(asyncio.to_thread(container.start))
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            await asyncio.shield(starting)
    except Exception as trouble:  # the engine's library promises no closed set of errors
        raise UnavailableError(f"Docker could not start {IMAGE} ({trouble})") from trouble
    finally:
        # A thread can't be cancelled, and what it starts late must be there to be removed.
        await asyncio.gather(starting, return_exceptions=True)


def _describe(
    name: str, engine_environ: Mapping[str, str], port: int, password: str, definitions: Path | None
) -> "DockerContainer":
    from testcontainers.core.config import testcontainers_config  # late: it takes a second to load
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True  # removal.py does its work
    target = None if definitions is None else DEFINITIONS
    container = DockerContainer(IMAGE, docker_client_kw={"environment": engine_environ}).with_name(name)
    # Only on the loopback interface, which the library's own method has no word for but the engine has.
    container.ports[str(AMQP_PORT)] = (LOOPBACK, port)  # pyright: ignore[reportArgumentType] - as above
    container.with_envs(RABBITMQ_DEFAULT_USER=USER, RABBITMQ_DEFAULT_PASS=password)
    container.with_copy_into_container(configuration(target, console=True).encode(), CONFIGURATION)
    if definitions is not None:
        loaded = completed(json.loads(definitions.read_text()), USER, password)
        container.with_copy_into_container(json.dumps(loaded).encode(), str(DEFINITIONS))
    return container
