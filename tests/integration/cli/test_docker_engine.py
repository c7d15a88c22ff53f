import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.containers.engine import answering_engine

PATIENCE_S = 30.0


@asynccontextmanager
async def engine(socket: Path, answer: bytes) -> AsyncGenerator[None]:
    served: list[asyncio.Event] = []

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(done := asyncio.Event())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        done.set()

    async with await asyncio.start_unix_server(on_connection, socket):
        yield
        async with asyncio.timeout(PATIENCE_S):
            for done in served:
                await done.wait()


async def test_an_engine_that_answers_a_ping_is_there(tmp_path: Path) -> None:
    async with engine(tmp_path / "engine", b"HTTP/1.0 200 OK\r\n\r\nOK"):
        host = f"unix://{tmp_path}/engine"
        assert await answering_engine({"DOCKER_HOST": host}) == host


async def test_a_client_without_an_engine_is_no_engine(tmp_path: Path) -> None:
    assert not await answering_engine({"DOCKER_HOST": f"unix://{tmp_path}/nothing"})


async def test_an_engine_that_is_broken_is_no_engine(tmp_path: Path) -> None:
    async with engine(tmp_path / "engine", b"HTTP/1.0 500 Internal Server Error\r\n\r\n"):
        assert not await answering_engine({"DOCKER_HOST": f"unix://{tmp_path}/engine"})


async def test_an_engine_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    async with engine(tmp_path / "engine", b""):
        assert not await answering_engine({"DOCKER_HOST": f"unix://{tmp_path}/engine"})
    assert time.monotonic() - started < PATIENCE_S
