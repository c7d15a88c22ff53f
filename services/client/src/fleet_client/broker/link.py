"""A connection that is opened anew whenever it breaks.

Not aio-pika's robust connection: that one declares a deleted queue again without a word, but what was asked
through a deleted reply queue has to be asked again, so this package must know.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit, urlunsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AuthenticationError, ProbableAuthenticationError
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed

from fleet_client.broker.trouble import Trouble, as_trouble
from fleet_client.errors import BrokerUnreachable
from fleet_client.tasks import stop

_log = logging.getLogger("fleet_client")

_OPEN_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 5.0
_HEARTBEAT_S = 20
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_HOPELESS = (
    AuthenticationError,
    ProbableAuthenticationError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)

Serve = Callable[[AbstractConnection, Callable[[], None]], Awaitable[None]]
"""Uses one connection until it breaks; calls its second argument once everything is open."""


class Link:
    """One connection to the broker, kept up in the background.

    Args:
        url: the broker and vhost.
        name: how RabbitMQ's management page shows the connection.
        serve: what to do with each connection.
        chance: spreads the reconnects of many clients.
    """

    def __init__(self, url: str, name: str, serve: Serve, chance: random.Random) -> None:
        self.trouble: Exception | None = None
        self._url = url
        self._name = name
        self._serve = serve
        self._chance = chance
        self._opened = asyncio.Event()
        self._was_ever_open = False
        self._lost_at: float | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def open(self, timeout_s: float) -> None:
        """Connect, and stay connected until `close`.

        Raises:
            BrokerUnreachable: nothing was open after `timeout_s` seconds, or the broker refused this user.
        """
        self._keeping = asyncio.create_task(self._keep(), name=f"fleet-client {self._name}")
        self._keeping.add_done_callback(_report)
        opened = asyncio.create_task(self._opened.wait())
        try:
            either = {self._keeping, opened}
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await stop(opened)
        if not self._opened.is_set():
            await self.close()
            raise self._unreachable() from self.trouble
        self._was_ever_open = True

    async def close(self) -> None:
        """Disconnect."""
        if self._keeping is not None:
            await stop(self._keeping)

    async def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            self._opened.clear()
            await self._use_one_connection()
            if self._is_hopeless():
                return
            pause_s = _FIRST_PAUSE_S if self._opened.is_set() else min(pause_s * 2, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.0))

    async def _use_one_connection(self) -> None:
        try:
            with as_trouble():
                connection = await self._connect()
            try:
                await self._serve(connection, self._is_open)
            finally:
                await _close(connection)
        except Trouble as error:
            self.trouble = error
            self._is_lost(error)

    def _is_open(self) -> None:
        if self._lost_at is not None:
            away_s = asyncio.get_running_loop().time() - self._lost_at
            _log.warning("The connection for %s is open again, after %.1f s.", self._name, away_s)
        self._lost_at = None
        self._opened.set()

    def _is_lost(self, error: Trouble) -> None:
        if self._lost_at is not None:
            # A broker may be away for hours; each try in each backend would be a line.
            _log.debug("There is no connection for %s yet (%s).", self._name, error)
            return
        self._lost_at = asyncio.get_running_loop().time()
        _log.warning("The connection for %s broke (%s); opening a new one.", self._name, error)

    async def _connect(self) -> AbstractConnection:
        async with asyncio.timeout(_OPEN_TIMEOUT_S):
            return await aio_pika.connect(
                _with_heartbeat(self._url),
                client_properties={"connection_name": f"fleet-client {self._name}"},
            )

    def _is_hopeless(self) -> bool:
        cause = None if self.trouble is None else self.trouble.__cause__
        return isinstance(cause, _HOPELESS) and not self._was_ever_open

    def _unreachable(self) -> BrokerUnreachable:
        where = urlsplit(self._url)
        cause = None if self.trouble is None else self.trouble.__cause__
        return BrokerUnreachable(
            f"No connection for {self._name} to the broker at {where.hostname}:{where.port or 5672}"
            f"{where.path}: {self.trouble or 'no answer in time'}. {_ADVICE.get(type(cause), _CHECK)}"
        )


_CHECK = (
    "Check the URL, that the broker runs, and that the user may use the vhost and queues whose names start "
    "with deepseek.reply."
)
_ADVICE: dict[type[BaseException] | type[None], str] = {
    ChannelNotFoundEntity: "An exchange is missing: apply the topology once (fleet topology apply).",
    ChannelPreconditionFailed: "A queue of this name exists with other bounds: use those, or another name.",
    ChannelAccessRefused: "The user has no right to it: grant what contracts/README.md lists, and to follow "
    "results also to read deepseek.results.",
}


class Watch:
    """Notices that a connection, its channel or its consumer is gone. Begin it before consuming."""

    def __init__(self) -> None:
        self._gone = asyncio.Event()
        self._why = "closed by the broker"

    async def begin(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        """Watch from now on."""
        connection.close_callbacks.add(self._tell)
        channel.close_callbacks.add(self._tell)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._tell)

    async def until_gone(self) -> NoReturn:
        """Wait, for as long as all is well; then raise `Trouble`."""
        await self._gone.wait()
        raise Trouble(self._why)

    def give_up(self, why: str) -> None:
        """Take it for gone, though nobody has said so."""
        self._why = why
        self._gone.set()

    def _tell(self, *_: object) -> None:
        self._gone.set()


def _report(keeping: asyncio.Task[None]) -> None:
    error = None if keeping.cancelled() else keeping.exception()
    if error is not None:
        _log.critical("A defect ended the connection; leave the Fleet and enter it again.", exc_info=error)


def _with_heartbeat(url: str) -> str:
    where = urlsplit(url)
    if "heartbeat" in parse_qs(where.query):
        return url
    query = f"{where.query}&" if where.query else ""
    return urlunsplit(where._replace(query=f"{query}heartbeat={_HEARTBEAT_S}"))


async def _close(connection: AbstractConnection) -> None:
    try:
        with as_trouble():
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await connection.close()
    except Trouble:
        _log.debug("A connection did not close cleanly.", exc_info=True)
