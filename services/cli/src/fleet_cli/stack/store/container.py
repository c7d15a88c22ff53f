"""A store in a container, where a Docker engine answers."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.containers.container import Container, Recipe, a_container
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.ports import free_ports
from fleet_cli.stack.report import Report
from fleet_cli.stack.store.asking import ask_label
from fleet_cli.stack.store.server_settings import ServerSettings, configuration
from fleet_cli.stack.store.store import Store

IMAGE = "valkey/valkey:8"
CONFIGURATION = "/etc/fleet-store.conf"
DATA = Path("/data")
EVERYWHERE = "*"
SERVE_DEADLINE_S = 60.0
SERVE_PAUSE_S = 0.1


class ContainerControl:
    """Power over the store in a container, by way of the engine."""

    def __init__(self, container: Container, url: str) -> None:
        self._container = container
        self._url = url

    async def start(self, *, empty: bool) -> None:
        """Start the container again, or a new one with nothing in it; returns when its store serves."""
        await (self._container.renew() if empty else self._container.start())
        await serving(self._url)

    async def stop(self) -> None:
        """Stop the container, by force after 10 s."""
        await self._container.stop()

    async def kill(self) -> None:
        """Kill the container; what its store had on disk stays."""
        await self._container.kill()

    async def pause(self) -> None:
        """Freeze the container."""
        await self._container.pause()

    async def resume(self) -> None:
        """Thaw the container."""
        await self._container.resume()

    def may_be_emptied(self) -> None:
        """It is ours, so it may."""


async def serving(url: str) -> str:
    """Wait until the store at `url` serves; what it is. Raises StackError after 60 s."""
    from fleet_chassis.store import StoreUnavailableError  # late: slow to load

    try:
        async with asyncio.timeout(SERVE_DEADLINE_S):
            while True:
                # Asked again and again: an engine does not tell when the program inside is ready.
                try:
                    return await ask_label(url)
                except StoreUnavailableError:
                    await asyncio.sleep(SERVE_PAUSE_S)
    except TimeoutError as late:
        raise StackError(f"the container of {IMAGE} did not serve within {SERVE_DEADLINE_S:.0f} s") from late


@asynccontextmanager
async def container_store(
    report: Report, environ: Mapping[str, str], *, appendonly: bool
) -> AsyncGenerator[Store]:
    """A store in a container of its own; raises UnavailableError where no engine can start one."""
    (port,) = free_ports(1)
    settings = ServerSettings(port, secrets.token_urlsafe(16), appendonly)
    files = {CONFIGURATION: configuration(settings, folder=DATA, bind=EVERYWHERE)}
    recipe = Recipe(IMAGE, {port: port}, files=files, command=("valkey-server", CONFIGURATION))
    async with a_container(report, environ, recipe) as container:
        label = await serving(settings.url)
        yield Store(settings.url, label, ContainerControl(container, settings.url))
