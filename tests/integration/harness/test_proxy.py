import asyncio
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import StoreUnavailableError, open_store
from harness.proxied import RESET_ON_CLOSE
from harness.proxy import Proxy, Way, a_proxy, a_proxy_before
from harness.waiting import until

pytestmark = pytest.mark.sockets

SOON_S = 30.0
A_WHILE_S = 0.1
MANY = 250
MUCH = 30_000_000
LONG_ENOUGH_FOR_MUCH_S = 0.5


@dataclass
class Echo:
    """A real server that says everything back, and remembers what it heard and how its connections ended."""

    port: int = 0
    heard: bytes = b""
    ends: list[str] = field(default_factory=list[str])
    accepted: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            while data := await reader.read(65_536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends.append("ended")
        except ConnectionError:
            self.ends.append("broken")
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    async with a_proxy("127.0.0.1", echo.port) as proxy:
        yield proxy
    await until(lambda: len(echo.ends) == echo.accepted, deadline_s=SOON_S)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, count: int) -> bytes:
        async with asyncio.timeout(SOON_S):
            return await self.reader.readexactly(count)

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(A_WHILE_S):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncGenerator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield Client(reader, writer)
    writer.close()


async def test_everything_arrives_as_it_was_sent_in_both_directions(proxy: Proxy) -> None:
    much = bytes(range(256)) * 40_000
    async with connected(proxy) as client:
        sent = asyncio.create_task(client.say(much))
        assert await client.hear(len(much)) == much
        await sent


async def test_the_end_of_one_direction_leaves_the_other_open(proxy: Proxy, echo: Echo) -> None:
    async with connected(proxy) as client:
        await client.say(b"last words")
        client.writer.write_eof()
        assert await client.hear(10) == b"last words"
        assert await client.reader.read() == b""
    await until(lambda: proxy.connections == 0)
    assert echo.ends == ["ended"]


async def test_a_reset_breaks_the_connection_for_both_sides(proxy: Proxy, echo: Echo) -> None:
    async with connected(proxy) as client:
        await client.say(b"hello")
        await client.hear(5)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await client.hear(1)
    await until(lambda: echo.ends == ["broken"])
    async with connected(proxy) as client:
        await client.say(b"again")
        assert await client.hear(5) == b"again"


async def test_a_client_that_breaks_off_is_heard_of_on_the_other_side(proxy: Proxy, echo: Echo) -> None:
    async with connected(proxy) as client:
        await client.say(b"hello")
        await client.hear(5)
        raw: socket.socket = client.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        client.writer.transport.abort()
        await until(lambda: echo.ends == ["broken"])


async def test_a_black_hole_takes_connections_and_bytes_and_tells_nobody(proxy: Proxy, echo: Echo) -> None:
    async with connected(proxy) as old:
        await old.say(b"before")
        await old.hear(6)
        proxy.blackhole()
        async with connected(proxy) as new:
            await old.say(b"lost")
            await new.say(b"lost")
            assert await old.hears_nothing()
            assert await new.hears_nothing()
            assert (echo.heard, echo.accepted) == (b"before", 1)
            await proxy.heal()
            assert await old.hear(4) == b"lost"
            assert await new.hear(4) == b"lost"


async def test_a_black_hole_swallows_the_end_of_a_connection(proxy: Proxy, echo: Echo) -> None:
    async with connected(proxy) as client:
        await client.say(b"before")
        await client.hear(6)
        proxy.blackhole()
    await asyncio.sleep(A_WHILE_S)
    assert echo.ends == []
    await proxy.heal()
    await until(lambda: echo.ends == ["ended"])


async def test_answers_alone_can_be_lost(proxy: Proxy, echo: Echo) -> None:
    async with connected(proxy) as client:
        await client.say(b"before")
        await client.hear(6)
        proxy.blackhole(Way.DOWN)
        await client.say(b"done")
        await until(lambda: echo.heard == b"beforedone")
        assert await client.hears_nothing()
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await client.hear(1)
    await proxy.heal()


async def test_what_nobody_takes_is_not_kept_without_a_bound(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        await client.say(b"before")
        await client.hear(6)
        proxy.blackhole()
        talking = asyncio.create_task(client.say(bytes(MUCH)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(talking), LONG_ENOUGH_FOR_MUCH_S)
        assert client.writer.transport.get_write_buffer_size() > MUCH / 2
        client.writer.transport.abort()
        await asyncio.gather(talking, return_exceptions=True)
    proxy.reset()
    await proxy.heal()


async def test_a_delay_holds_for_each_direction_and_keeps_the_order(proxy: Proxy) -> None:
    proxy.delay(A_WHILE_S)
    async with connected(proxy) as client:
        started = time.monotonic()
        for number in range(MANY):
            await client.say(bytes([number]))
            await asyncio.sleep(0)
        assert await client.hear(MANY) == bytes(range(MANY))
        # Not so many times as long: what is sent together arrives together.
        assert 2 * A_WHILE_S <= time.monotonic() - started < MANY * A_WHILE_S / 2


async def test_a_narrow_line_takes_its_time_until_it_heals(proxy: Proxy) -> None:
    proxy.throttle(10_000, Way.UP)
    async with connected(proxy) as client:
        started = time.monotonic()
        await client.say(bytes(2_000))
        await client.hear(2_000)
        assert time.monotonic() - started >= 2_000 / 10_000
        await proxy.heal()
        await client.say(bytes(2_000_000))
        await client.hear(2_000_000)


async def test_a_proxy_can_lead_new_connections_elsewhere(proxy: Proxy, echo: Echo) -> None:
    other = Echo()
    server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    async with connected(proxy) as old:
        await old.say(b"old")
        await old.hear(3)
        proxy.lead_to(*server.sockets[0].getsockname()[:2])
        async with connected(proxy) as new:
            await new.say(b"new")
            await new.hear(3)
        await old.say(b"er")
        await old.hear(2)
    server.close()
    assert (echo.heard, other.heard) == (b"older", b"new")
    await until(lambda: other.ends == ["ended"])


async def test_a_port_that_refuses_is_the_same_port_after_healing(proxy: Proxy) -> None:
    async with connected(proxy) as old:
        await old.say(b"before")
        await old.hear(6)
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        await old.say(b"still")
        assert await old.hear(5) == b"still"
        await proxy.heal()
        async with connected(proxy) as new:
            await new.say(b"after")
            assert await new.hear(5) == b"after"


async def test_a_target_that_is_not_there_breaks_its_clients_connections() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        async with a_proxy(*nobody.getsockname()) as proxy, connected(proxy) as client:
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await client.hear(1)


async def test_a_store_behind_a_proxy_is_reached_with_its_password_and_database(store_url: str) -> None:
    async with (
        a_proxy_before(store_url) as proxy,
        open_store(proxy.before(store_url), SOON_S, SystemClock()) as store,
        open_store(proxy.before(store_url), LONG_ENOUGH_FOR_MUCH_S, SystemClock()) as hurried,
    ):
        assert await store.command("SET", "key", "1")
        proxy.blackhole()
        with pytest.raises(StoreUnavailableError):
            await hurried.command("GET", "key")
        await proxy.heal()
        assert await store.command("GET", "key") == b"1"
