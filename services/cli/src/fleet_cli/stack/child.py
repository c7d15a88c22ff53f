"""One child process: its output kept in a file, its readiness told by a line, its end sure."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from fleet_cli.stack.errors import StackError

LAUNCHER = Path(__file__).with_name("die_with_parent.py")
READ_BYTES = 65_536
TAIL_CHARACTERS = 65_536
LAST_WORDS_LINES = 5
OUTPUT_GRACE_S = 1.0


class Child:
    """A running child process in a session of its own, so that Ctrl-C in a terminal reaches only us.

    On Linux it dies with us. It must be started from a thread that lives as long as it should: the kernel
    watches the thread that forked.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: IO[bytes]) -> None:
        self.name = name
        self._process = process
        self._log = log
        self._tail = ""
        self._news = asyncio.Event()
        self._output = asyncio.create_task(self._keep_output(), name=f"output of {name}")

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        at_parent_death: signal.Signals = signal.SIGKILL,
    ) -> "Child":
        """Start `command`; both of its output streams are appended to the file `log`."""
        launcher = (sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(at_parent_death.value))
        process = await asyncio.create_subprocess_exec(
            *launcher,
            *command,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(name, process, _open_log(log))

    @property
    def pid(self) -> int:
        """The process ID of the command itself."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.returncode is None

    async def wait_for_line(self, pattern: str, *, deadline_s: float) -> re.Match[str]:
        """Wait until the output matches `pattern`; raises StackError if the child ends or is late."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._find(re.compile(pattern, re.MULTILINE))
        except TimeoutError as late:
            raise StackError(
                f"{self.name} was not ready within {deadline_s:.0f} s{self._last_words()}"
            ) from late

    async def wait(self) -> int:
        """Wait for the end of the process and of its output; its exit status, negative for a signal."""
        status = await self._process.wait()
        await asyncio.wait([self._output], timeout=OUTPUT_GRACE_S)
        self._output.cancel()  # a stranger that inherited the pipe must not hold us up
        return status

    async def stop(self, *, grace_s: float) -> int:
        """Ask for a clean end with SIGTERM; after `grace_s` seconds end it and its group by force."""
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                return await self.wait()
        return await self.kill()

    async def kill(self) -> int:
        """End the process and what it started in its group, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return await self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if there is still anyone to get it."""
        if self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _find(self, pattern: re.Pattern[str]) -> re.Match[str]:
        while True:
            self._news.clear()
            if match := pattern.search(self._tail):
                return match
            if self._output.done():
                status = await self._process.wait()
                raise StackError(
                    f"{self.name} ended with status {status} before it was ready{self._last_words()}"
                )
            await self._news.wait()

    async def _keep_output(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - start() always asks for the pipe
        try:
            while data := await self._process.stdout.read(READ_BYTES):
                self._log.write(data)
                self._tail = (self._tail + data.decode(errors="replace"))[-TAIL_CHARACTERS:]
                self._news.set()
        finally:
            self._log.close()
            # The task counts as done one step later; whoever waits must find it so.
            asyncio.get_running_loop().call_soon(self._news.set)

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._tail.splitlines() if line.strip()]
        return f"; its last words: {' | '.join(lines[-LAST_WORDS_LINES:])}" if lines else ""


def _open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab", buffering=0)
