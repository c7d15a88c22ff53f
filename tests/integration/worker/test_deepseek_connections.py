"""Connections to the upstream: kept while they are good, closed at once when nobody needs them."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

import pytest
from aiohttp.resolver import ThreadedResolver

from fleet_chassis.clock import SystemClock
from fleet_contracts.codes import ErrorCode
from fleet_simulator import DEFAULT_KEY, INSTANT, Fault, Kind, Running, SimulatorConfig, serve
from fleet_worker.completion import CompletionError
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints
from fleet_worker.deepseek.transport import SocketPieces, open_http, pieces_of
from harness.deepseek_calls import NO_THINKING, chat, client_of, complete, failed
from harness.upstream import chat_stream

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends that come late are waited for, however long this process stands still between two looks."""
    monkeypatch.setattr("fleet_worker.deepseek.client._DRAIN_S", 20.0)


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncGenerator[tuple[DeepSeek, list[object]]]:
    """A client of a server that answers every request on a connection by hand, and its connections."""
    connections: list[object] = []

    async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                await answer(writer)
        writer.close()

    server = await asyncio.start_server(serve_connection, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    deepseek = DeepSeek.open(Endpoints(f"http://{host}:{port}"), "sk-1", Clocks(), SystemClock())
    async with aclosing(deepseek):
        yield deepseek, connections
    server.close()
    await server.wait_closed()


def connections(simulator: Running) -> set[object]:
    return {event.fields["connection"] for event in simulator.log.events(kind="arrived")}


async def test_a_host_that_moved_is_found_again_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["127.0.0.2"]  # nobody listens there

    async def resolve(_self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        del family
        known = {"hostname": host, "host": addresses[0], "port": port}
        return [{**known, "family": socket.AF_INET, "proto": 0, "flags": socket.AI_NUMERICHOST}]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    async with serve(SimulatorConfig().at_once()) as simulator:
        base_url = simulator.base_url.replace("127.0.0.1", "localhost")
        deepseek = DeepSeek.open(Endpoints(base_url), DEFAULT_KEY, Clocks(), SystemClock())
        async with aclosing(deepseek), asyncio.timeout(30):
            assert (await failed(deepseek)).code is ErrorCode.UPSTREAM_UNAVAILABLE
            addresses[0] = "127.0.0.1"
            while not simulator.log.events(kind="arrived"):
                with suppress(CompletionError):
                    await complete(deepseek, chat())
                await asyncio.sleep(0.1)


async def test_a_server_that_is_gone_is_unavailable() -> None:
    async with AsyncExitStack() as stack:
        async with serve(SimulatorConfig().at_once()) as simulator:
            deepseek = await stack.enter_async_context(aclosing(client_of(simulator)))
            await complete(deepseek, chat())
        error = await failed(deepseek)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_UNAVAILABLE, True)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"]
)
async def test_a_server_that_speaks_no_http_is_unavailable(answer: bytes) -> None:
    async def garble(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with raw_server(garble) as (deepseek, _):
        error = await failed(deepseek)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_UNAVAILABLE, True)


async def test_a_stream_whose_end_comes_after_done_leaves_its_connection_to_the_next_call() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        stream = b"".join(chat_stream())
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(stream), stream))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")

    async with raw_server(answer) as (deepseek, connections):
        await complete(deepseek, chat())
        await complete(deepseek, chat())
    assert len(connections) == 1


async def test_a_refusal_whose_body_comes_late_leaves_its_connection_to_the_next_call() -> None:
    async def refuse(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"busy")

    async with raw_server(refuse) as (deepseek, connections):
        error = await failed(deepseek)
        await failed(deepseek)
    assert len(connections) == 1
    assert error.upstream is not None
    assert error.upstream.message == "busy"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.HANG_BEFORE_HEADERS),
        Fault(Kind.STALL, after_chunks=5),
        Fault(Kind.PACE, tokens_per_second=20),
    ],
    ids=lambda fault: fault.kind.value,
)
async def test_cancelling_closes_the_socket_at_once(
    simulator: Running, deepseek: DeepSeek, fault: Fault
) -> None:
    simulator.inject(fault)
    call = asyncio.create_task(complete(deepseek, chat()))
    started = "admitted" if fault.kind is Kind.HANG_BEFORE_HEADERS else "first_byte"
    await simulator.log.wait_for(lambda event: event.kind == started, within=20)
    call.cancel()
    closed = await simulator.log.wait_for(lambda event: event.kind == "closed", within=20)
    assert closed.fields["reason"] != "done"
    assert simulator.limits.in_flight("default", "deepseek-flash") == 0
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_hundreds_of_calls_one_after_the_other_share_one_connection() -> None:
    instant = SimulatorConfig(timing=INSTANT)
    async with serve(instant) as simulator, aclosing(client_of(simulator)) as deepseek:
        simulator.inject(Fault(Kind.LENGTH, content_tokens=1, reasoning_tokens=1))
        for number in range(300):
            await complete(deepseek, chat(stream=number % 3 > 0, **NO_THINKING))
        assert len(simulator.log.events(kind="arrived")) == 300
        assert len(connections(simulator)) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 422, 429, 500, 503])
async def test_a_refusal_leaves_its_connection_to_the_next_call(
    simulator: Running, deepseek: DeepSeek, status: int
) -> None:
    simulator.inject(Fault(Kind.STATUS, status=status, times=2))
    await failed(deepseek)
    await failed(deepseek)
    await complete(deepseek, chat())
    assert len(connections(simulator)) == 1


async def test_a_connection_whose_answer_broke_is_not_used_again(
    simulator: Running, deepseek: DeepSeek
) -> None:
    simulator.inject(Fault(Kind.BROKEN_UTF8, after_chunks=5, times=1))
    await failed(deepseek)
    await complete(deepseek, chat())
    assert len(connections(simulator)) == 2


async def test_a_body_is_read_straight_from_the_socket_and_not_through_httpx(simulator: Running):
    http = open_http(5)
    async with http.stream("GET", f"{simulator.base_url}/models") as response:
        assert isinstance(pieces_of(response), SocketPieces)
        assert b"".join([piece async for piece in pieces_of(response)])
    await http.aclose()
