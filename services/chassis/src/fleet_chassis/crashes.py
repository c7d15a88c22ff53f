"""The last words of what breaks where nobody catches it: as log lines, without the text of the error.

Python's own would print that text, and with it whatever the error quotes.
"""

import asyncio
import sys
import threading
from types import TracebackType
from typing import Any

from fleet_chassis.logging import Log


def log_crashes(log: Log) -> None:
    """Have errors that end the process or a thread, and those that Python can't raise, logged."""

    def process(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        log.error("the process broke", error=error)

    def thread(args: threading.ExceptHookArgs) -> None:
        log.error("a thread broke", error=args.exc_value)

    def unraisable(args: Any) -> None:
        log.error("an error that nobody could be told of", error=args.exc_value)

    sys.excepthook = process
    threading.excepthook = thread
    sys.unraisablehook = unraisable


def log_loop_errors(loop: asyncio.AbstractEventLoop, log: Log) -> None:
    """Have errors logged that a callback raised, or a task that nobody waits for."""

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # The message of the context quotes the callback with its arguments.
        log.error("an error in the event loop", error=context.get("exception"))

    loop.set_exception_handler(handle)
