"""`make profile`: a flame graph of a worker under 500 streams."""

import asyncio
import sys
from pathlib import Path

from bench.report import Report
from bench.stage import Ground, a_stage
from bench.streams import stream_through

STREAMS = 500
SECONDS = 8.0
RATE_HZ = 250


async def profile(ground: Ground, report: Report, folder: Path) -> int:
    """Write `profile.svg` into `folder`; the exit status."""
    picture = folder / "profile.svg"
    tool = Path(sys.executable).parent / "py-spy"

    async def record(pid: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *(str(tool), "record", "--pid", str(pid), "--duration", str(int(SECONDS))),
            *("--rate", str(RATE_HZ), "--native", "--idle", "--output", str(picture)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            report.line(f"py-spy failed: {said.decode()[-500:]}")

    picture.unlink(missing_ok=True)
    async with a_stage(ground) as stage:
        run = await stream_through(stage, await stage.fleet(), STREAMS, SECONDS, beside=record)
    report.line(run.line())
    report.line(f"flame graph: {picture}")
    return 0 if picture.exists() else 1
