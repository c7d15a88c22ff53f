"""The one door to Redis and Valkey: scripts over one connection, and a subscription over another."""

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import hiredis
from redis import exceptions as redis_errors
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from fleet_chassis.clock import Clock
from fleet_chassis.redis_url import place_of
from fleet_chassis.settings import SettingsError
from fleet_chassis.store.batching import Batches, Command
from fleet_chassis.store.errors import StoreScriptError, StoreUnavailableError
from fleet_chassis.store.listening import Hear, Listener
from fleet_chassis.store.script import Script

_UNAVAILABLE = (
    redis_errors.ConnectionError,  # loading, authentication and a full pool are kinds of it
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    redis_errors.ClusterDownError,
    redis_errors.InvalidResponse,  # what answers there is no store
    OSError,
    TimeoutError,
)
_LOST = (*_UNAVAILABLE, RuntimeError)
"""uvloop says RuntimeError of a write to a connection that was just reset, and redis-py passes it on."""


_REFUSES_WRITES = re.compile(r"(^|-)(MISCONF|NOREPLICAS|OOM|READONLY|MASTERDOWN|TRYAGAIN|BUSY)\b")
"""Answers of a store that takes no writes for now: its disk or its replicas are missing, or a script runs too
long. Redis before 7 hides them in the middle of a script's error.
"""
_RUN_ID = re.compile(rb"run_id:(\w+)")
LISTENING_PROBE_S = 5
"""How often a silent subscription is asked whether it still stands."""


class RedisStore:
    """One store, shared by every worker; keeps nothing of its own but the connections."""

    def __init__(self, url: str, timeout_s: float, clock: Clock) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        # One timer for a whole batch, in place of the client's own for each write and answer.
        self._client = _client(url, timeout_s, self._connected, socket_timeout=None)
        self._listening_client = _client(
            url, timeout_s, self._connected, socket_timeout=timeout_s, health_check_interval=LISTENING_PROBE_S
        )
        self._batches = Batches(self._send)
        self._listener = Listener(self._listening_client.pubsub(), _LOST)
        self._run_id: bytes | None = None
        self._changed_at = -math.inf

    @property
    def run_id(self) -> bytes | None:
        """Which run of the server answered last: it changes with a restart and with a failover."""
        return self._run_id

    @property
    def changed_at(self) -> float:
        """When the server's run was seen to change, in monotonic seconds; minus infinity if it never did."""
        return self._changed_at

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script as one atomic step; strings come back as bytes.

        A script must be written so that running it twice with the same arguments changes nothing: where a
        connection breaks, it is asked once more.

        Raises:
            StoreUnavailableError: no answer within the store's timeout; it may or may not have run.
            StoreScriptError: the script is wrong, or the store's user may not do what it does.
        """
        called = (len(keys), *keys, *args)
        try:
            return await self._ask(("EVALSHA", script.sha, *called))
        except redis_errors.NoScriptError:
            return await self._ask(("EVAL", script.source, *called))

    async def command(self, *command: Any) -> Any:
        """Run one command that may be repeated; raises as `run` does."""
        return await self._ask(command)

    async def listen(self, channel: str, hear: Hear) -> None:
        """Have each message on `channel` handed to `hear`, across reconnects, until the store is closed.

        What is published while the connection is down is lost: whoever relies on a message also asks now and
        then. Returns when the subscription stands.

        Raises:
            StoreUnavailableError: no answer within the store's timeout.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._listener.listen(channel, hear)
        except _LOST as error:
            raise _unavailable(error) from error

    async def aclose(self) -> None:
        """Stop listening and close both connections."""
        await self._listener.aclose()
        await self._batches.aclose()
        await self._listening_client.aclose()
        await self._client.aclose()

    async def _ask(self, command: Command) -> Any:
        try:
            return await self._batches.ask(command)
        except redis_errors.NoScriptError:
            raise
        except _UNAVAILABLE as error:
            raise _unavailable(error) from error
        except redis_errors.ResponseError as error:
            if _REFUSES_WRITES.search(str(error)):
                raise _unavailable(error) from error
            raise StoreScriptError(f"the store refused {command[0]}: {error}") from error

    async def _send(self, commands: Sequence[Command]) -> Sequence[Any]:
        try:
            return await self._send_once(commands)
        except redis_errors.ConnectionError:
            # An idle connection may have been closed by a server that is back already.
            return await self._send_once(commands)

    async def _send_once(self, commands: Sequence[Command]) -> Sequence[Any]:
        # Of redis-py's pipeline this leaves out what it does for each command: it packs them in Python, and
        # sets a timer for each answer. That costs three times as much as all the rest.
        packed = b"".join(map(_packed, commands))
        try:
            async with asyncio.timeout(self._timeout_s), _connection_of(self._client) as connection:
                await connection.send_packed_command(packed, check_health=False)
                return [await self._answer_on(connection, command) for command in commands]
        except RuntimeError as error:  # see _LOST
            raise redis_errors.ConnectionError(str(error)) from error

    async def _answer_on(self, connection: Any, command: Command) -> Any:
        try:
            return await self._client.parse_response(connection, command[0])
        except redis_errors.ResponseError as refusal:
            return refusal  # of this command alone: the others' answers follow

    async def _connected(self, connection: Any) -> None:
        """Greet a new connection, and notice when another run of the server answers."""
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        found = _RUN_ID.search(await connection.read_response())
        run_id = found.group(1) if found else None
        if self._run_id is not None and run_id != self._run_id:
            self._changed_at = self._clock.monotonic()
        self._run_id = run_id


def _client(url: str, connect_s: float, connected: Any, **options: Any) -> Any:
    untyped: Any = Redis  # its types are too loose for a strict check, so they end here
    return untyped.from_url(
        url,
        socket_connect_timeout=connect_s,
        retry=Retry(NoBackoff(), 0),
        redis_connect_func=connected,
        protocol=2,
        **options,
    )


def _packed(command: Command) -> bytes:
    untyped: Any = hiredis  # its types allow a command of one word alone
    return untyped.pack_command(command)


@asynccontextmanager
async def _connection_of(client: Any) -> AsyncGenerator[Any]:
    """A connection that stands; whatever breaks off on it closes it."""
    pool = client.connection_pool
    connection = await pool.get_connection()
    try:
        yield connection
    finally:
        await pool.release(connection)


def _unavailable(error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the store did not do it ({type(error).__name__}): check REDIS_URL, that the store runs and has room"
    )


@asynccontextmanager
async def open_store(url: str, timeout_s: float, clock: Clock) -> AsyncGenerator[RedisStore]:
    """A store that has answered once; leaving closes it.

    Args:
        url: as in redis://user:password@host:6379/0, rediss:// with TLS.
        timeout_s: seconds that one answer may take.
        clock: dates a change of the server.

    Raises:
        SettingsError: the URL is that of no store.
        StoreUnavailableError: it does not answer.
        StoreScriptError: it has no such database, or its user may not ask.
    """
    try:
        place_of(url)
        store = RedisStore(url, timeout_s, clock)
    except ValueError as error:
        raise SettingsError(f"REDIS_URL is wrong: {error}.") from error
    try:
        await _greet(store)
        yield store
    finally:
        await store.aclose()


async def _greet(store: RedisStore) -> None:
    try:
        await store.command("PING")
    except TypeError as error:  # what stands behind its question mark is handed to the connection as it is
        raise SettingsError("REDIS_URL is wrong: it ends in an option that no connection has.") from error
