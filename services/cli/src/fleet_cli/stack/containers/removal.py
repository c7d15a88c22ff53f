"""The end of a container: removed by a process of its own where the one that started it cannot.

Used as a script: `python -m fleet_cli.stack.containers.removal NAME`. It waits until its standard input ends,
which the kernel sees to when the process at its other end is gone, even by kill -9. Unless it was dismissed
before, it then removes the container of that name. testcontainers' own way takes a second image, and the
engine's socket inside its container, which rootless engines and machines without a registry don't have.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from subprocess import DEVNULL, PIPE

DISMISSAL = b"dismissed"
REMOVAL_DEADLINE_S = 30.0
PATIENCE_S = 15.0
PAUSE_S = 0.5


class Remover:
    """The process that waits for the end of this one."""

    def __init__(self, stdin: asyncio.StreamWriter) -> None:
        self._stdin = stdin

    def dismiss(self) -> None:
        """Tell it that there is nothing left to remove."""
        self._stdin.write(DISMISSAL)


@asynccontextmanager
async def a_remover(name: str, environ: Mapping[str, str]) -> AsyncGenerator[Remover]:
    """Removes the container `name` of DOCKER_HOST when this ends or this process does, unless dismissed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__, name),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
        env=environ,
        start_new_session=True,  # Ctrl-C in a terminal must not end it before its work
    )
    assert process.stdin is not None  # noqa: S101 - it is always started with the pipe
    try:
        yield Remover(process.stdin)
    finally:
        process.stdin.close()
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(REMOVAL_DEADLINE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def main() -> None:
    """Wait for the end of the input, then remove the container."""
    if sys.stdin.buffer.read() == DISMISSAL:
        return
    # What the engine was asked for in the moment of a kill is there only a little later.
    deadline = time.monotonic() + PATIENCE_S
    while not _remove(sys.argv[1]) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)


def _remove(name: str) -> bool:
    from testcontainers.core.docker_client import DockerClient  # late: it takes a second to load

    client = DockerClient().client
    found = client.containers.list(all=True, filters={"name": f"^/{name}$"})
    for container in found:
        container.remove(force=True, v=True)
    client.close()
    return bool(found)


if __name__ == "__main__":
    main()
