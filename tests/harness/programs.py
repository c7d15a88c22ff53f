"""Programs that run to their end as processes of their own."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it printed."""

    status: int
    out: str
    complaint: str


async def run(code: str, **environ: str) -> Ended:
    """Run Python code; its environment is what is given here and nothing else."""
    return await ran(sys.executable, "-W", "error", "-c", code, environ=environ)


async def ran(
    *command: str,
    environ: Mapping[str, str],
    told: bytes = b"",
    cwd: Path | None = None,
    deadline_s: float = PATIENCE_S,
    once_it_speaks: Callable[[], object] | None = None,
) -> Ended:
    """Run a program that reads `told`; it is killed at the deadline, in seconds.

    `once_it_speaks` is called when it has begun to print, while it waits or goes on.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=dict(environ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(deadline_s):
            begun = await _begun(process, once_it_speaks)
            out, complaint = await process.communicate(told)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, (begun + out).decode(), complaint.decode())


async def _begun(process: asyncio.subprocess.Process, once_it_speaks: Callable[[], object] | None) -> bytes:
    """The first byte that it prints, where somebody wants to be told of it; nothing where it prints none."""
    if once_it_speaks is None or process.stdout is None:
        return b""
    if begun := await process.stdout.read(1):
        once_it_speaks()
    return begun
