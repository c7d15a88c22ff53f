"""A private store: a child process of ours on a free port of the loopback interface."""

import secrets
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.child import Child
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.ports import free_ports
from fleet_cli.stack.store.installation import Installation
from fleet_cli.stack.store.server_settings import ServerSettings, configuration

START_DEADLINE_S = 60.0
STOP_GRACE_S = 10.0
START_TRIES = 3
READY_LINE = r"Ready to accept connections"
OWNER_ONLY = 0o600


class Server:
    """One store; everything it writes is below its folder."""

    def __init__(self, installation: Installation, folder: Path, settings: ServerSettings) -> None:
        self._installation = installation
        self._folder = folder
        self._settings = settings
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process ID of the store, while it runs."""
        return self._child.pid if self._child is not None and self._child.running else None

    async def start(self, *, empty: bool) -> None:
        """Start the store; returns when it serves. Raises StackError with its last words else."""
        data = self._folder / "data"
        if empty:
            shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True, exist_ok=True)
        child = await Child.start(
            "store",
            (*self._installation.command, str(self._configured(data))),
            environ=self._installation.environment(),
            log=self._folder / "store.out",
        )
        self._child = child
        try:
            await child.wait_for_line(READY_LINE, deadline_s=START_DEADLINE_S)
        except BaseException:
            await child.kill()
            raise

    async def stop(self) -> None:
        """End the store cleanly, by force after a grace; one that stands still is let go on first."""
        if self._child is not None:
            await self.resume()
            await self._child.stop(grace_s=STOP_GRACE_S)

    async def kill(self) -> None:
        """End the store at once, as a power cut would; what it had written stays."""
        if self._child is not None:
            await self._child.kill()

    async def pause(self) -> None:
        """Let the store stand still."""
        if self._child is not None:
            self._child.signal(signal.SIGSTOP)

    async def resume(self) -> None:
        """Let the store go on."""
        if self._child is not None:
            self._child.signal(signal.SIGCONT)

    def may_be_emptied(self) -> None:
        """It is ours, so it may."""

    def _configured(self, data: Path) -> Path:
        # In a file rather than among the arguments, where everybody on the machine could read the password.
        file = self._folder / "store.conf"
        file.touch(mode=OWNER_ONLY)
        file.write_text(configuration(self._settings, folder=data))
        return file


@asynccontextmanager
async def running_server(
    installation: Installation, folder: Path, *, appendonly: bool
) -> AsyncGenerator[tuple[Server, str]]:
    """A store of this installation below `folder`, and its URL; tried again with other ports."""
    for attempt in range(1, START_TRIES + 1):
        (port,) = free_ports(1)
        settings = ServerSettings(port, secrets.token_urlsafe(16), appendonly)
        server = Server(installation, folder / f"store-{attempt}", settings)
        try:
            await server.start(empty=True)
        except StackError:
            # Another program may have taken the free port in the meantime.
            if attempt == START_TRIES:
                raise
            continue
        try:
            yield server, settings.url
        finally:
            await server.stop()
        return
