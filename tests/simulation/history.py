"""What happened in a run, in order: printed for people, and as one digest for machines."""

import hashlib
from typing import NamedTuple


class Event(NamedTuple):
    """One thing that happened."""

    at: float
    who: str
    what: str
    about: str

    def __str__(self) -> str:
        return f"{self.at:10.4f}  {self.who:<12} {self.what:<22} {self.about}"


class History:
    """Everything that the simulated world saw."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def note(self, at: float, who: str, what: str, about: object = "") -> None:
        """Write one event down; nothing once the run is over."""
        if not self.closed:
            self.events.append(Event(at, who, what, str(about)))

    def digest(self) -> str:
        """The same for two runs in which the same happened at the same times in the same order."""
        return hashlib.sha256("\n".join(map(str, self.events)).encode()).hexdigest()[:16]
