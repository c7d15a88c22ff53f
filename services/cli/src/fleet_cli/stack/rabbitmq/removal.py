"""The end of a container: removed by a process of its own, however the one that started it ends.

Used as a script: `python -m fleet_cli.stack.rabbitmq.removal NAME`. It waits until its standard input ends,
and then removes the container of that name. The kernel ends the input when the process at its other end is
gone, even by kill -9. testcontainers' own way takes a second image, and the engine's socket inside its
container, which rootless engines and machines without a registry don't have.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from subprocess import DEVNULL, PIPE

REMOVAL_DEADLINE_S = 30.0


@asynccontextmanager
async def removed_at_the_end(name: str, environ: Mapping[str, str]) -> AsyncGenerator[None]:
    """Removes the container `name` of DOCKER_HOST, if there is one, when this ends or this process does."""
    remover = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__, name),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
        env=environ,
        start_new_session=True,  # Ctrl-C in a terminal must not end it before its work
    )
    try:
        yield
    finally:
        await _end_input(remover)


async def _end_input(remover: asyncio.subprocess.Process) -> None:
    assert remover.stdin is not None  # noqa: S101 - it is always started with the pipe
    remover.stdin.close()
    try:
        async with asyncio.timeout(REMOVAL_DEADLINE_S):
            await remover.wait()
    except TimeoutError:
        remover.kill()
        await remover.wait()


def main() -> None:
    """Wait for the end of the input, then remove the container."""
    from testcontainers.core.docker_client import DockerClient  # late: only the script needs it, for a second

    sys.stdin.buffer.read()
    client = DockerClient().client
    for container in client.containers.list(all=True, filters={"name": f"^/{sys.argv[1]}$"}):
        container.remove(force=True, v=True)
    client.close()


if __name__ == "__main__":
    main()
