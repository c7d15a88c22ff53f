"""A broker in a container, where a Docker engine answers."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from fleet_cli.stack.containers.container import Container, Recipe, a_container
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.ports import LOOPBACK, free_ports
from fleet_cli.stack.rabbitmq.broker import Broker, handshake
from fleet_cli.stack.rabbitmq.evaluation import evaluated
from fleet_cli.stack.rabbitmq.node_settings import completed, configuration
from fleet_cli.stack.report import Report

IMAGE = "rabbitmq:4.3-alpine"
AMQP_PORT = 5672
MANAGEMENT_PORT = 15672
"""Where the management API listens for whoever enables its plugin, which no broker of ours does by itself."""
USER = "fleet"
CONFIGURATION = "/etc/rabbitmq/conf.d/20-fleet.conf"
DEFINITIONS = Path("/etc/rabbitmq/fleet-definitions.json")
# erl_call is six times as fast as `rabbitmqctl eval`; it lies in the Erlang that runs, if the image has it.
EVALUATE = """
erlang=$(dirname "$(readlink -f "$(command -v erl)")")/..
erl_call=$(ls "$erlang"/*/erl_interface-*/bin/erl_call "$erlang"/erts-*/bin/erl_call 2>/dev/null | head -n 1)
if [ -n "$erl_call" ]; then
    printf '%s\\n' "$1" | "$erl_call" -sname "rabbit@$(hostname)" -c "$(cat "$HOME/.erlang.cookie")" -e
else
    value=$(rabbitmqctl --quiet eval "$1") && printf '{ok, %s}' "$value"
fi
"""
SERVE_DEADLINE_S = 90.0
SERVE_PAUSE_S = 0.2
PROBE_DEADLINE_S = 5.0
# What a client says first, and how a broker's answer begins (AMQP 0-9-1, sections 2.2.4 and 2.3.5).
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"


class ContainerControl:
    """Power over the broker in a container, by way of the engine."""

    def __init__(self, container: Container, url: str) -> None:
        self._container = container
        self._url = url

    async def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl in the container; its output. Raises StackError if it fails."""
        return await self._container.run("rabbitmqctl", "--quiet", *arguments)

    async def evaluate(self, expression: str) -> str:
        """Let the node evaluate an Erlang expression; raises StackError if that fails."""
        return evaluated(expression, await self._container.run("sh", "-c", EVALUATE, "evaluate", expression))

    async def start(self) -> None:
        """Start the container again; returns when its broker serves."""
        await self._container.start()
        await serving(self._url)

    async def stop(self) -> None:
        """Stop the container, by force after 10 s."""
        await self._container.stop()

    async def kill(self) -> None:
        """Kill the container; what its broker had on disk stays."""
        await self._container.kill()


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


@asynccontextmanager
async def container_broker(
    report: Report, environ: Mapping[str, str], definitions: Path | None
) -> AsyncGenerator[Broker]:
    """A broker in a container of its own; raises UnavailableError where no engine can start one."""
    password = secrets.token_urlsafe(16)
    port, management = free_ports(2)
    url = f"amqp://{USER}:{password}@{LOOPBACK}:{port}/"
    recipe = _recipe({AMQP_PORT: port, MANAGEMENT_PORT: management}, password, definitions)
    async with a_container(report, environ, recipe) as container:
        yield Broker(url, await serving(url), USER, ContainerControl(container, url), management)


def _recipe(ports: Mapping[int, int], password: str, definitions: Path | None) -> Recipe:
    target = None if definitions is None else DEFINITIONS
    files = {CONFIGURATION: configuration(target, console=True)}
    if definitions is not None:
        loaded = completed(json.loads(definitions.read_text()), USER, password)
        files[str(DEFINITIONS)] = json.dumps(loaded)
    environ = {"RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": password}
    return Recipe(IMAGE, ports, environ, files)


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
