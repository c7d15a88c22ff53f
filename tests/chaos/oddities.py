"""What can be odd about a worker as a whole: its clock, its name server, and what it can't stomach."""

import asyncio
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp.resolver import ThreadedResolver

from fleet_chassis.clock import SystemClock

MS = 1000
_poison = b""


def be_odd(environ: Mapping[str, str]) -> None:
    """Take on what these variables say, for the life of this process.

    `CHAOS_CLOCK` is a file with the seconds that the wall clock is wrong by, read whenever the time is asked
    for: a clock that jumps. `CHAOS_NAMES` is a file with the address that every name has, nothing for a name
    server that knows none, or `slow` for one that does not answer. `CHAOS_POISON` is a word in a body that
    ends the process, as the kernel does where memory is short.
    """
    global _poison  # noqa: PLW0603 - it is this process that is odd
    _poison = environ.get("CHAOS_POISON", "").encode()
    if clock := environ.get("CHAOS_CLOCK"):
        _tell_the_wrong_time(Path(clock))
    if names := environ.get("CHAOS_NAMES"):
        _ask_another_name_server(Path(names))


def dies_of(payload: bytes) -> None:
    """Die here where the body holds the poison."""
    if _poison and _poison in payload:
        os.kill(os.getpid(), signal.SIGKILL)


def _tell_the_wrong_time(file: Path) -> None:
    right = SystemClock.now_ms

    def wrong(self: SystemClock) -> int:
        return right(self) + int(float(file.read_text() or "0") * MS)

    SystemClock.now_ms = wrong


def _ask_another_name_server(file: Path) -> None:
    async def resolve(_self: Any, host: str, port: int = 0, family: int = socket.AF_INET) -> list[Any]:
        address = file.read_text()  # noqa: ASYNC240 - a line
        if address == "slow":
            await asyncio.Event().wait()
        if not address:
            raise OSError(None, f"no address of {host} is known")
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": family,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    ThreadedResolver.resolve = resolve  # pyright: ignore[reportAttributeAccessIssue] - odd on purpose
