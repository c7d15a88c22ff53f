"""Which Docker engine answers. A client without an engine is common, and so is one that hangs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

ANSWER_DEADLINE_S = 2.0
DOCKER_PORT = 2375
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
PING = b"GET /_ping HTTP/1.0\r\n\r\n"


async def answering_engine(environ: Mapping[str, str]) -> str | None:
    """The engine that answers a ping within 2 s, as in DOCKER_HOST: the one named there, or else a usual one.

    One on another machine is left out: what runs there is not reached through this machine's loopback.
    """
    for host in candidates(environ):
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                if _is_here(host) and await _answers(host):
                    return host
        except (OSError, TimeoutError):
            continue
    return None


def candidates(environ: Mapping[str, str]) -> list[str]:
    """The places to ask: what the user named, or the usual sockets (also of Docker Desktop and rootless)."""
    if named := environ.get("DOCKER_HOST"):
        return [named]
    sockets = [Path("/var/run/docker.sock")]
    if home := environ.get("HOME"):
        sockets.append(Path(home, ".docker/run/docker.sock"))
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        sockets.append(Path(runtime, "docker.sock"))
    return [f"unix://{socket}" for socket in sockets]


def _is_here(host: str) -> bool:
    where = urlsplit(host)
    return where.scheme == "unix" or where.hostname in LOCAL_NAMES


async def _answers(host: str) -> bool:
    reader, writer = await _connect(host)
    try:
        writer.write(PING)
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _connect(host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(host)
    if where.scheme == "unix":
        return await asyncio.open_unix_connection(where.path)
    return await asyncio.open_connection(where.hostname, where.port or DOCKER_PORT)
