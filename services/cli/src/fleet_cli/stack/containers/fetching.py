"""The image of a container: fetched once, by a process that can be ended.

Used as a script: `python -m fleet_cli.stack.containers.fetching IMAGE`. The engine's library fetches without
a deadline, in a thread that nothing can interrupt, and the engine gives up when the process is gone.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fleet_cli.stack.command import run
from fleet_cli.stack.report import Report

if TYPE_CHECKING:
    from testcontainers.core.docker_client import DockerClient

FETCH_DEADLINE_S = 600.0


async def fetch(image: str, client: "DockerClient", report: Report, environ: Mapping[str, str]) -> None:
    """Get `image` into the engine if it is not there yet; raises StackError if it cannot be had."""
    if await asyncio.to_thread(client.client.images.list, name=image):
        return
    report(f"Docker: fetching {image}, once")
    fetching = (sys.executable, "-P", "-m", __name__, image)
    await run(fetching, environ=environ, deadline_s=FETCH_DEADLINE_S)


def main() -> None:
    """Fetch the image; ends with what is wrong where that fails."""
    from testcontainers.core.docker_client import DockerClient  # late: only the script needs it, for a second

    try:
        DockerClient().client.images.pull(sys.argv[1])
    except Exception as trouble:  # the engine's library promises no closed set of errors
        raise SystemExit(str(trouble)) from trouble


if __name__ == "__main__":
    main()
