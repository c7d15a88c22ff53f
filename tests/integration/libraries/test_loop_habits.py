"""What is relied on in uvloop, on a real socket."""

import asyncio
import socket
import struct

import pytest
import uvloop

from harness.habits import relied_on

pytestmark = pytest.mark.sockets

AT_ONCE = struct.pack("ii", 1, 0)
"""Of SO_LINGER: a close is a reset."""


async def write_after_a_reset() -> Exception | None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        writer.transport.abort()

    async with await asyncio.start_server(reset, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        try:
            writer.write(b"x")
            await writer.drain()
        except (OSError, RuntimeError) as error:
            return error
    return None


def test_a_write_to_a_connection_that_was_reset_raises_what_a_store_and_a_broker_that_are_away_raise():
    raised = uvloop.run(write_after_a_reset())
    relied_on(
        "uvloop",
        isinstance(raised, RuntimeError),
        "a write to a connection that was reset raises RuntimeError, not OSError as asyncio's own loop",
        "see whether _LOST in fleet_chassis.store.redis still has to name RuntimeError",
    )
