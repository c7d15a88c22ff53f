"""Runs a service: its loop, its signals, and a stop that has a deadline."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from fleet_chassis.crashes import log_loop_errors
from fleet_chassis.logging import get_log

Main = Callable[[asyncio.Event], Awaitable[None]]


class CannotStartError(Exception):
    """What a service needs around it is missing or in its way, with settings that may be right.

    The text says what it is and what to do.
    """


def run_service(main: Main) -> None:
    """Run `main` on a fast event loop until it returns; SIGTERM and SIGINT set the event it is given.

    A second signal ends the process at once, for operators who can't wait for the drain.
    """
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(_with_signals(main))


async def _with_signals(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_loop_errors(loop, get_log("service"))

    def on_signal() -> None:
        if stop.is_set():
            sys.exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await main(stop)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        # uvloop has no Windows build; the default loop serves there.
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
