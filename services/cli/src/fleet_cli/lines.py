"""Lines of standard input, one at a time, while the event loop goes on."""

import asyncio
import queue
import sys
import threading
from contextlib import suppress

from fleet_cli.wrong_input import WrongInputError


class Lines:
    """Reads in a thread that nobody waits for at the end: a read from a terminal can't be ended.

    Args:
        prompt: is shown before each line on a terminal; nothing where input is no terminal.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt if sys.stdin.isatty() else ""
        self._wanted: queue.SimpleQueue[asyncio.Future[str | None]] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="fleet-chat-lines", daemon=True).start()

    async def next(self) -> str | None:
        """The next line without its end; None after the last one.

        Raises:
            WrongInputError: it is no text.
        """
        line: asyncio.Future[str | None] = self._loop.create_future()
        self._wanted.put(line)
        text = await line
        try:
            return text if text is None else text.encode().decode()
        except UnicodeError as error:
            raise WrongInputError("a line is no UTF-8 text: convert it first, as with iconv") from error

    def _read(self) -> None:
        with suppress(ImportError):
            __import__("readline")  # gives `input` a line that can be edited, where there is one
        while True:
            line = self._wanted.get()
            text = self._line()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(_tell, line, text)

    def _line(self) -> str | None:
        if self._prompt:
            try:
                return input(self._prompt)
            except EOFError:
                return None
        text = sys.stdin.readline()
        return text.rstrip("\r\n") if text else None


def _tell(line: "asyncio.Future[str | None]", text: str | None) -> None:
    if not line.done():
        line.set_result(text)
