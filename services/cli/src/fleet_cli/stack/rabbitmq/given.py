"""A broker that somebody else runs, named by AMQP_URL."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fleet_cli.stack.errors import StackError
from fleet_cli.stack.rabbitmq.broker import Broker, handshake

PORTS = {"amqp": 5672, "amqps": 5671}


class NoControl:
    """What we may do to a broker that is not ours: nothing but use it."""

    async def ctl(self, *arguments: str) -> str:
        """Refused."""
        return self._refuse(f"rabbitmqctl {' '.join(arguments)}")

    async def evaluate(self, expression: str) -> str:
        """Refused."""
        return self._refuse(expression)

    async def start(self) -> None:
        """Refused."""
        self._refuse("start")

    async def stop(self) -> None:
        """Refused."""
        self._refuse("stop")

    async def kill(self) -> None:
        """Refused."""
        self._refuse("kill")

    def _refuse(self, what: str) -> str:
        raise StackError(f"the broker in AMQP_URL is not ours to {what}: unset AMQP_URL to get a private one")


@asynccontextmanager
async def given_broker(url: str) -> AsyncGenerator[Broker]:
    """The broker at `url`, once it has answered; raises StackError if it does not."""
    where = urlsplit(url)
    if where.scheme not in PORTS or not where.hostname:
        raise StackError("AMQP_URL is wrong: set it as in amqp://user:password@host:5672/, or unset it")
    place = f"{where.hostname}:{where.port or PORTS[where.scheme]}"
    try:
        version = await handshake(url)
    except (OSError, TimeoutError) as unreachable:
        raise StackError(
            f"no broker answers at {place}, which AMQP_URL names: start it or unset AMQP_URL"
        ) from unreachable
    yield Broker(url, version, where.username or "guest", NoControl())
