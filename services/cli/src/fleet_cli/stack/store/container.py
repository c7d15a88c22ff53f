"""A store in a container, where a Docker engine answers."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_cli.stack.engine import docker_answers
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.ports import free_ports
from fleet_cli.stack.store.asking import ask_label
from fleet_cli.stack.store.server_settings import ServerSettings, configuration
from fleet_cli.stack.store.store import Store

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = "valkey/valkey:8"
CONFIGURATION = "/etc/fleet-store.conf"
DATA = Path("/data")
EVERYWHERE = "*"
START_DEADLINE_S = 600.0
SERVE_DEADLINE_S = 60.0
SERVE_PAUSE_S = 0.1
STOP_GRACE_S = 10


class ContainerControl:
    """Power over the store in a container, by way of the engine."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._container: DockerContainer | None = None

    async def start(self, *, empty: bool) -> None:
        """Start the container again, or a new one with nothing in it; returns when its store serves."""
        if empty or self._container is None:
            await self.remove()
            self._container = await asyncio.to_thread(_run, self._settings)
        else:
            await asyncio.to_thread(self._container.get_wrapped_container().start)
        await serving(self._settings.url)

    async def stop(self) -> None:
        """Stop the container, by force after 10 s."""
        if self._container is not None:
            await asyncio.to_thread(_stop, self._container)

    async def kill(self) -> None:
        """Kill the container; what its store had on disk stays."""
        if self._container is not None:
            await asyncio.to_thread(self._container.get_wrapped_container().kill)

    async def pause(self) -> None:
        """Freeze the container."""
        if self._container is not None:
            await asyncio.to_thread(self._container.get_wrapped_container().pause)

    async def resume(self) -> None:
        """Thaw the container."""
        if self._container is not None:
            await asyncio.to_thread(self._container.get_wrapped_container().unpause)

    async def remove(self) -> None:
        """Remove the container with all that its store held."""
        if self._container is not None:
            await asyncio.to_thread(self._container.stop)
            self._container = None

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
async def container_store(environ: Mapping[str, str], *, appendonly: bool) -> AsyncGenerator[Store]:
    """A store in a container of its own; raises UnavailableError where no engine can start one."""
    if not await docker_answers(environ):
        raise UnavailableError("no Docker engine answers")
    (port,) = free_ports(1)
    settings = ServerSettings(port, secrets.token_urlsafe(16), appendonly)
    control = ContainerControl(settings)
    try:
        await _start(control)
        yield Store(settings.url, await ask_label(settings.url), control)
    finally:
        await control.remove()


async def _start(control: ContainerControl) -> None:
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            await control.start(empty=True)
    except Exception as trouble:  # the engine's library promises no closed set of errors
        raise UnavailableError(f"Docker could not start {IMAGE} ({trouble})") from trouble


def _stop(container: "DockerContainer") -> None:
    engine = container.get_wrapped_container()
    engine.reload()
    if engine.status == "paused":
        engine.unpause()  # a frozen program could not end cleanly
    engine.stop(timeout=STOP_GRACE_S)


def _run(settings: ServerSettings) -> "DockerContainer":
    from testcontainers.core.container import DockerContainer  # late: it takes a second to load

    container = DockerContainer(IMAGE).with_bind_ports(settings.port, settings.port)
    text = configuration(settings, folder=DATA, bind=EVERYWHERE)
    container.with_copy_into_container(text.encode(), CONFIGURATION)
    return container.with_command(["valkey-server", CONFIGURATION]).start()
