"""Processes of a bench, and what the operating system says of them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fleet_cli.stack.child import LAUNCHER

READY_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_TESTS = Path(__file__).parents[1]


def cpu_s(pid: int) -> float:
    """Processor time of a process and its threads so far, as the scheduler counts it."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except FileNotFoundError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def tree_cpu_s(pid: int) -> float:
    """`cpu_s` of a process and of all below it."""
    below = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return cpu_s(pid) + sum(tree_cpu_s(int(child)) for child in below.split())


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in the machine's."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Running:
    """A process that has said its first line."""

    name: str
    pid: int
    said: str
    took_s: float
    process: asyncio.subprocess.Process

    @property
    def cpu_s(self) -> float:
        return cpu_s(self.pid)

    @property
    def resident_bytes(self) -> int:
        return resident_bytes(self.pid)


class StartError(Exception):
    """A process of the bench did not start."""


@asynccontextmanager
async def running(
    name: str,
    *command: str,
    logs: Path,
    environ: Mapping[str, str] | None = None,
    stdin: bool = False,
    says_nothing: bool = False,
) -> AsyncGenerator[Running]:
    """Start a program, wait for its first line unless it `says_nothing`, and end it and what it started."""
    log = logs / f"{name}.log"
    began = asyncio.get_running_loop().time()
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            # However the bench ends, nothing of it is left behind.
            *(sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(signal.SIGKILL.value)),
            *command,
            env={**os.environ, "PYTHONPATH": str(_TESTS), **(environ or {})},  # noqa: TID251 - a child needs ours
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=errors if says_nothing else asyncio.subprocess.PIPE,
            stderr=errors,
            limit=2**20,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(READY_S):
            said = "" if process.stdout is None else (await process.stdout.readline()).decode().strip()
        if not said and not says_nothing:
            raise StartError(f"{name} did not start: {log.read_text()[-2000:]}")
        took_s = asyncio.get_running_loop().time() - began
        yield Running(name, process.pid, said, took_s, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of the bench."""
    return (sys.executable, "-m", name, *arguments)
