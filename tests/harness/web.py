"""A web application under gunicorn, forked from a parent that has loaded it before, as in production."""

import asyncio
import json
import re
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

WORKERS = 2
PATIENCE_S = 30.0
GRACE_S = 40.0
_EVENT = re.compile(r"event: (\w+)\ndata: (.*)\n\n")


@asynccontextmanager
async def served(
    folder: Path, application: str, environ: Mapping[str, str]
) -> AsyncGenerator[httpx.AsyncClient]:
    """The application `module:name` of a folder, on a free port; ends with SIGTERM, which must be clean."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gunicorn",
            "--preload",
            f"--workers={WORKERS}",
            "--worker-class=gthread",
            "--threads=8",
            f"--bind=fd://{listener.fileno()}",
            "--graceful-timeout=10",
            f"--chdir={folder}",
            application,
            env=dict(environ),
            pass_fds=[listener.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        complaint = asyncio.create_task(_read(process))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
                yield client
            process.terminate()
            async with asyncio.timeout(GRACE_S):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            said = await complaint
    assert "Traceback" not in said, said
    assert process.returncode == 0, said


async def _read(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.read()).decode()


def events_of(body: str) -> list[tuple[str, str]]:
    """The server-sent events of a body, each with its kind and text."""
    return [(kind, json.loads(data)) for kind, data in _EVENT.findall(body)]
