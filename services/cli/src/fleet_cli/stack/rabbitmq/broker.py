"""The broker of a run, whichever way it was had."""

import re
from typing import Protocol
from urllib.parse import quote

from fleet_cli.stack.errors import StackError

VHOST_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
HANDSHAKE_DEADLINE_S = 20.0


class Control(Protocol):
    """Power over a broker: its commands, and its life."""

    async def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl; its output."""
        ...

    async def evaluate(self, expression: str) -> str:
        """Let the node evaluate an Erlang expression."""
        ...

    async def start(self) -> None:
        """Start the broker again, with what it had on disk."""
        ...

    async def stop(self) -> None:
        """End the broker cleanly."""
        ...

    async def kill(self) -> None:
        """End the broker at once."""
        ...


class Broker:
    """A running RabbitMQ: its URL, its version, and power over it where it is ours.

    Args:
        url: where it is reached, with a user who may do everything.
        version: as it says itself.
        user: who that is.
        control: the power over it.
        management: for one in a container, where its management port is to be found on loopback.
    """

    def __init__(
        self, url: str, version: str, user: str, control: Control, management: int | None = None
    ) -> None:
        self.url = url
        self.version = version
        self.management = management
        self._user = user
        self._control = control

    @property
    def label(self) -> str:
        """What it is, for people."""
        return f"RabbitMQ {self.version}"

    async def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl with `arguments`; its output. Half a second for each call."""
        return await self._control.ctl(*arguments)

    async def evaluate(self, expression: str) -> str:
        """Let the node evaluate an Erlang expression (with its full stop) in milliseconds; its answer."""
        return await self._control.evaluate(expression)

    async def add_vhost(self, name: str) -> str:
        """Make a fresh virtual host that our user may use for everything; its URL."""
        if not VHOST_NAME.fullmatch(name):
            raise StackError(f"{name!r} is no name for a virtual host: use letters, digits, '_', '.' and '-'")
        may = ", ".join(['<<".*">>'] * 3)
        await self.evaluate(
            f'ok = rabbit_vhost:add(<<"{name}">>, <<"{self._user}">>), ok = rabbit_auth_backend_internal:'
            f'set_permissions(<<"{self._user}">>, <<"{name}">>, {may}, <<"{self._user}">>).'
        )
        return self._url_of(name)

    async def delete_vhost(self, name: str) -> None:
        """Remove a virtual host with everything in it; its connections are closed."""
        await self.evaluate(f'rabbit_vhost:delete(<<"{name}">>, <<"{self._user}">>).')

    async def stop_app(self) -> None:
        """Stop RabbitMQ but not its Erlang: connections are closed and new ones refused until start_app."""
        await self.ctl("stop_app")

    async def start_app(self) -> None:
        """Start what stop_app stopped; returns when it serves again."""
        await self.ctl("start_app")

    async def settle(self) -> None:
        """Let the node write to disk where its queues lie, which it otherwise does twice a second.

        A kill before that loses a quorum queue declared a moment ago, with what was confirmed in it.
        """
        await self.evaluate("[dets:sync(Table) || Table <- dets:all()].")

    async def kill(self) -> None:
        """End the broker at once, as a power cut would. What it had on disk stays for restart."""
        await self._control.kill()

    async def restart(self) -> None:
        """Start the broker again at the same URL, after a clean stop if it still runs."""
        await self._control.stop()
        await self._control.start()

    def _url_of(self, vhost: str) -> str:
        return f"{self.url.rstrip('/').removesuffix('/%2F')}/{quote(vhost, safe='')}"


async def handshake(url: str) -> str:
    """Open and close one AMQP connection; the version that the broker says it has."""
    import aio_pika  # late: most commands never speak AMQP, and this is slow to load

    connection = await aio_pika.connect(url, timeout=HANDSHAKE_DEADLINE_S)
    async with connection:
        if connection.transport is None:
            raise StackError("the broker closed the connection at once: look into its log")
        version = connection.transport.connection.server_properties.get("version", "of unknown version")
        return version.decode() if isinstance(version, bytes) else str(version)
