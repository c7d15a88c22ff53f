"""Short commands of other programs: run, read, never left hanging."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fleet_cli.stack.errors import StackError

COMPLAINT_CHARACTERS = 200


async def run(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    deadline_s: float,
    text: str = "",
    folder: Path | None = None,
) -> str:
    """What `command` prints, given `text` as its input; raises StackError if it fails or takes too long."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environ,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    name = Path(command[0]).name
    try:
        async with asyncio.timeout(deadline_s):
            output, complaint = await process.communicate(text.encode())
    except TimeoutError as late:
        raise StackError(f"{name} did not end within {deadline_s:.0f} s") from late
    finally:
        await _end(process)
    if process.returncode:
        raise StackError(f"{name} failed with status {process.returncode}: {_brief(complaint or output)}")
    return output.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # With its group: what it has started may hold its output open, and would be waited for.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _brief(complaint: bytes) -> str:
    # Some tools say what is wrong first, others last, with help or progress in between.
    said = " ".join(complaint.decode(errors="replace").split())
    if len(said) <= 2 * COMPLAINT_CHARACTERS:
        return said
    return f"{said[:COMPLAINT_CHARACTERS]} ... {said[-COMPLAINT_CHARACTERS:]}"
