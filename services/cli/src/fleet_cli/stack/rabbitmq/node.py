"""A private RabbitMQ node: child processes of ours on free ports of the loopback interface."""

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.child import Child
from fleet_cli.stack.command import run
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.rabbitmq import node_settings
from fleet_cli.stack.rabbitmq.evaluation import evaluated
from fleet_cli.stack.rabbitmq.installation import Installation
from fleet_cli.stack.rabbitmq.node_settings import Ports
from fleet_cli.stack.rabbitmq.slim_home import slim_home

BOOT_DEADLINE_S = 90.0
STOP_GRACE_S = 10.0
COMMAND_DEADLINE_S = 60.0
BOOT_TRIES = 3
READY_LINE = r"completed with \d+ plugins"


class Node:
    """One node and its port mapper; everything it writes is below its folder."""

    def __init__(
        self, installation: Installation, folder: Path, environ: Mapping[str, str], cookie: str
    ) -> None:
        self._installation = installation
        self._folder = folder
        self._environ = environ
        self._cookie = cookie
        self._epmd: Child | None = None
        self._server: Child | None = None

    @property
    def name(self) -> str:
        """What its Erlang is called."""
        return self._environ["RABBITMQ_NODENAME"]

    @property
    def pids(self) -> list[int]:
        """The process IDs of the node and its port mapper, while they run."""
        return [child.pid for child in (self._server, self._epmd) if child is not None and child.running]

    async def start(self) -> None:
        """Boot the node; returns when it serves AMQP. Raises StackError with its last words else."""
        await self._start_epmd()
        server = await self._child("rabbitmq", self._environ["RABBITMQ_SCRIPTS_DIR"] + "/rabbitmq-server")
        self._server = server
        try:
            await server.wait_for_line(READY_LINE, deadline_s=BOOT_DEADLINE_S)
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """End the node cleanly, by force after a grace, and its port mapper with it."""
        if self._server is not None:
            await self._server.stop(grace_s=STOP_GRACE_S)
        await self._stop_epmd()

    async def kill(self) -> None:
        """End the node at once, as a power cut would; what it had on disk stays."""
        if self._server is not None:
            await self._server.kill()
        await self._stop_epmd()

    async def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl; its output. Raises StackError if it fails."""
        script = self._environ["RABBITMQ_SCRIPTS_DIR"] + "/rabbitmqctl"
        return await run(
            (script, "--quiet", *arguments), environ=self._environ, deadline_s=COMMAND_DEADLINE_S
        )

    async def evaluate(self, expression: str) -> str:
        """Let the node evaluate an Erlang expression (with its full stop); raises StackError if it fails."""
        caller = (str(self._installation.erl_call), "-sname", self.name, "-c", self._cookie, "-e")
        answer = await run(
            caller, environ=self._environ, deadline_s=COMMAND_DEADLINE_S, text=f"{expression}\n"
        )
        return evaluated(expression, answer)

    async def _start_epmd(self) -> None:
        # In the foreground and ours: the one that a node starts by itself would be left behind as a daemon.
        command = (str(self._installation.epmd), "-port", self._environ["ERL_EPMD_PORT"])
        self._epmd = await self._child("epmd", *command, "-address", self._environ["ERL_EPMD_ADDRESS"])

    async def _stop_epmd(self) -> None:
        if self._epmd is not None:
            await self._epmd.kill()

    async def _child(self, name: str, *command: str) -> Child:
        log = self._folder / "log" / f"{name}.out"
        return await Child.start(name, command, environ=self._environ, log=log)


@asynccontextmanager
async def running_node(
    installation: Installation, folder: Path, *, path: str, definitions: Path | None
) -> AsyncGenerator[tuple[Node, Ports]]:
    """A booted node of this installation below `folder`; tried again with other ports if it cannot start."""
    home = slim_home(installation.home, folder / "rabbitmq")
    for attempt in range(1, BOOT_TRIES + 1):
        ports = Ports.free()
        node_folder = folder / f"node-{attempt}"
        cookie = secrets.token_hex(16)
        node_settings.write_files(node_folder, cookie, definitions)
        environ = node_settings.environment(installation, home, node_folder, ports, path)
        node = Node(installation, node_folder, environ, cookie)
        try:
            await node.start()
        except StackError:
            # Another program may have taken one of the free ports in the meantime.
            if attempt == BOOT_TRIES:
                raise
            continue
        try:
            yield node, ports
        finally:
            await node.stop()
        return
