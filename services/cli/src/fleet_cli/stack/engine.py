"""Whether a Docker engine answers. A client without an engine is common, and so is one that hangs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

ANSWER_DEADLINE_S = 2.0
DOCKER_PORT = 2375
PING = b"GET /_ping HTTP/1.0\r\n\r\n"


async def docker_answers(environ: Mapping[str, str]) -> bool:
    """Whether the engine in DOCKER_HOST, or else at one of its usual sockets, answers a ping within 2 s."""
    for host in candidates(environ):
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                if await _answers(host):
                    return True
        except (OSError, TimeoutError):
            continue
    return False


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
