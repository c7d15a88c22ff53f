"""The fleet's own processes: a simulator and workers, each with a log file of its own."""

import sys
from collections.abc import Mapping
from pathlib import Path

from fleet_cli.stack.child import Child

READY_DEADLINE_S = 30.0
SIMULATOR_READY = r"^(http://\S+)\s*$"
WORKER_READY = r"^worker \S+ ready, health at (\S+)\s*$"


async def start_simulator(environ: Mapping[str, str], logs: Path, speed: float) -> tuple[Child, str]:
    """A simulator on a free port of the loopback interface, `speed` times as fast, and its base URL."""
    child = await _start("simulator", ("simulator", "--speed", str(speed)), environ, logs)
    return child, await _ready(child, SIMULATOR_READY)


async def start_worker(name: str, environ: Mapping[str, str], logs: Path) -> tuple[Child, str]:
    """A worker that reads its settings from `environ`, and the base URL of its health and metrics."""
    child = await _start(name, ("worker",), environ, logs)
    return child, await _ready(child, WORKER_READY)


async def _start(name: str, arguments: tuple[str, ...], environ: Mapping[str, str], logs: Path) -> Child:
    log = logs / f"{name}.log"
    log.unlink(missing_ok=True)
    return await Child.start(name, (sys.executable, "-m", "fleet_cli", *arguments), environ=environ, log=log)


async def _ready(child: Child, pattern: str) -> str:
    try:
        return (await child.wait_for_line(pattern, deadline_s=READY_DEADLINE_S)).group(1)
    except BaseException:
        await child.kill()
        raise
