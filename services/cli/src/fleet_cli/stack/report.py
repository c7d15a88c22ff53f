"""How the stack tells the person in front of it what happens: one line for each step."""

import time
from collections.abc import Callable
from typing import TypeAlias

Report: TypeAlias = Callable[[str], None]
"""Takes one line, without its line end."""


class Stopwatch:
    """Seconds since it was made, for the figures in a report."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __str__(self) -> str:
        return f"{time.monotonic() - self._started:.1f} s"
