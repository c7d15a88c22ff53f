"""`fleet` as a person runs it beside a store."""

import asyncio
import os
import sys


async def fleet(store_url: str, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run a command; its status, and what it said."""
    everything = {**os.environ, "REDIS_URL": store_url, **environ}  # noqa: TID251 - a child needs its PATH
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fleet_cli",
        *arguments,
        env=everything,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
