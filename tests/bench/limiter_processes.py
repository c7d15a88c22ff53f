"""The processes of the limiter's bench: workers that stand ready, begin together and tell what they did."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Process = asyncio.subprocess.Process


async def start(script: str, *told: str) -> Process:
    """One of the bench's own programs, with pipes."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, HERE / script, *told, stdin=pipe, stdout=pipe, limit=2**27
    )


async def work(told: dict[str, Any]) -> Process:
    """A worker; it is not ready yet."""
    return await start("limiter_worker.py", json.dumps(told))


async def ready(worker: Process) -> None:
    """Wait until a worker could begin."""
    assert worker.stdout is not None
    await worker.stdout.readline()


async def go(worker: Process, until: float) -> None:
    """Let it begin; `until`: in monotonic seconds."""
    assert worker.stdin is not None
    worker.stdin.write(f"{until}\n".encode())
    await worker.stdin.drain()


async def output(worker: Process) -> bytes:
    """What it told at its end; nothing where it was killed."""
    told, _ = await asyncio.wait_for(worker.communicate(), 60)
    return told
