"""A cluster of RabbitMQ nodes on this machine, each of which can be killed, stopped and cut off."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fleet_cli.stack.child import Child
from fleet_cli.stack.command import run
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.ports import LOOPBACK, free_ports
from fleet_cli.stack.rabbitmq import node_settings
from fleet_cli.stack.rabbitmq.broker import Broker, handshake
from fleet_cli.stack.rabbitmq.installation import Installation
from fleet_cli.stack.rabbitmq.node import Node
from fleet_cli.stack.rabbitmq.node_settings import USER, Ports
from fleet_cli.stack.rabbitmq.slim_home import slim_home
from fleet_cli.stack.run_folder import run_folder
from harness.rabbitmq import an_installation

COOKIE = "one-cookie-for-all"
CTL_DEADLINE_S = 90.0
REJOIN_DEADLINE_S = 90.0
PAUSES = "cluster_partition_handling = pause_minority\n"
"""What a cluster of three is told in production: whoever is alone serves nobody."""
EPMD_GRACE_S = 0.2


class ClusterNode(Node):
    """A node whose port mapper is not its own: it must outlive each of them."""

    def __init__(
        self, installation: Installation, folder: Path, environ: Mapping[str, str], ports: Ports
    ) -> None:
        super().__init__(installation, folder, environ, COOKIE)
        self.ports = ports
        self._told = environ

    async def stand_still(self) -> None:
        """SIGSTOP: its connections stay open, and nobody answers."""
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    async def go_on(self) -> None:
        """SIGCONT."""
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)

    async def join(self, other: "ClusterNode") -> None:
        """Become part of another node's cluster."""
        for arguments in (("stop_app",), ("join_cluster", other.name), ("start_app",)):
            await self.ctl(*arguments)

    async def ctl(self, *arguments: str) -> str:
        """As a node's, with more patience: two cores boot three Erlangs."""
        script = self._told["RABBITMQ_SCRIPTS_DIR"] + "/rabbitmqctl"
        return await run((script, "--quiet", *arguments), environ=self._told, deadline_s=CTL_DEADLINE_S)

    async def _start_epmd(self) -> None:
        """It runs already."""

    async def _stop_epmd(self) -> None:
        """The others need it."""


class Cluster(Broker):
    """Several nodes with one set of queues. What a broker can do, one of its nodes does."""

    def __init__(self, nodes: list[ClusterNode], version: str) -> None:
        super().__init__(_url_at(nodes[0]), version, USER, nodes[0])
        self.nodes = nodes

    def ask_at(self, node: ClusterNode) -> None:
        """Let this node carry out what a broker is told."""
        self._control = node

    async def leader_of(self, queue: str, vhost: str) -> ClusterNode:
        """The node that leads a quorum queue now."""
        name = await self.evaluate(
            f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)), '
            "{_, Leader} = amqqueue:get_pid(Q), Leader."
        )
        return next(node for node in self.nodes if node.name == name.strip("'"))

    async def part(self, one: ClusterNode) -> None:
        """Cut one node off from all others: none knows the other side's cookie any more."""
        await self._cookies_at(one, "forgotten", of_it="another_one")
        others = [node.name for node in self.nodes if node is not one]
        # All at once: a node that one sees and another does not makes all of them pause.
        await one.evaluate(", ".join(f"erlang:disconnect_node('{other}')" for other in others) + ".")

    async def rejoin(self, one: ClusterNode) -> None:
        """Let a node that was cut off back in; returns when it serves again."""
        await self._cookies_at(one, COOKIE, of_it=COOKIE)
        for other in [node for node in self.nodes if node is not one]:
            await one.evaluate(f"net_kernel:connect_node('{other.name}').")
        async with asyncio.timeout(REJOIN_DEADLINE_S):
            while await one.evaluate("rabbit:is_running().") != "true":  # noqa: ASYNC110 - can only be asked
                await asyncio.sleep(1)

    async def _cookies_at(self, one: ClusterNode, cookie: str, *, of_it: str) -> None:
        for other in [node for node in self.nodes if node is not one]:
            await one.evaluate(f"erlang:set_cookie('{other.name}', '{cookie}').")
            await other.evaluate(f"erlang:set_cookie('{one.name}', '{of_it}').")


@asynccontextmanager
async def a_cluster(size: int, environ: Mapping[str, str]) -> AsyncGenerator[Cluster]:
    """So many nodes on the loopback interface, joined; raises UnavailableError where there is no RabbitMQ."""
    where = cache_dir(environ)
    installation = await an_installation(environ, where)
    async with AsyncExitStack() as ends:
        folder = ends.enter_context(run_folder(where / "runs"))
        home = slim_home(installation.home, folder / "rabbitmq")
        (mapper,) = free_ports(1)
        nodes: list[ClusterNode] = []
        for number in range(size):
            own = node_settings.Ports.free()
            ports = Ports(own.amqp, own.distribution, mapper, own.control)
            place = folder / f"node-{number + 1}"
            node_settings.write_files(place, COOKIE, None)
            with (place / "rabbitmq.conf").open("a") as told:
                told.write(PAUSES)
            variables = node_settings.environment(
                installation, home, place, ports, environ.get("PATH", "/usr/bin:/bin")
            )
            variables["RABBITMQ_NODENAME"] = f"fleet{number + 1}@localhost"
            nodes.append(ClusterNode(installation, place, variables, ports))
        epmd = await _port_mapper(installation, folder, mapper)
        ends.push_async_callback(epmd.kill)
        for node in nodes:
            ends.push_async_callback(_end, node)
        await asyncio.gather(*(node.start() for node in nodes))
        for node in nodes[1:]:
            await node.join(nodes[0])
        yield Cluster(nodes, await handshake(_url_at(nodes[0])))


def _url_at(node: ClusterNode) -> str:
    return f"amqp://{USER}:{USER}@{LOOPBACK}:{node.ports.amqp}/"


async def _port_mapper(installation: Installation, folder: Path, port: int) -> Child:
    command = (str(installation.epmd), "-port", str(port), "-address", LOOPBACK)
    child = await Child.start("epmd", command, environ={"LC_ALL": "C.UTF-8"}, log=folder / "epmd.out")
    await asyncio.sleep(EPMD_GRACE_S)  # it says nothing when it is ready; a node asks it again and again
    return child


async def _end(node: Any) -> None:
    await node.go_on()
    await node.kill()
