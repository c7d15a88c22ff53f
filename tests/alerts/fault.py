"""One fault: how it is made, mended, and which alerts it must set off."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from alerts.stage import Stage


@dataclass(frozen=True)
class Fault:
    """A named harm that lasts as long as its block."""

    what: str
    """As an operator would tell it."""
    alerts: tuple[str, ...]
    """What must fire while it lasts."""
    made: Callable[[Stage], AbstractAsyncContextManager[None]]
    within_s: float = 90.0
    """How long it may take until all of them do, in hurried seconds."""
