"""Pure: the outcome of one check, and how a list of them is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a check ended."""

    FINE = "fine"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


SIGNS = {State.FINE: "✓", State.WARNING: "!", State.FAILED: "✗", State.SKIPPED: "-"}


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and, where something is to be done, what."""

    name: str
    state: State
    found: str
    advice: str = ""

    def line(self) -> str:
        """The check for people."""
        found = f"{SIGNS[self.state]} {self.name}: {self.found}"
        return f"{found}; {self.advice}" if self.advice else found

    def fields(self) -> dict[str, str]:
        """The check for programs."""
        return {"name": self.name, "state": self.state, "found": self.found, "advice": self.advice}


def fine(name: str, found: str) -> Check:
    """All is as it should be."""
    return Check(name, State.FINE, found)


def warning(name: str, found: str, advice: str) -> Check:
    """It works, but somebody should know."""
    return Check(name, State.WARNING, found, advice)


def failed(name: str, found: str, advice: str = "") -> Check:
    """It doesn't work; `advice` may stand in `found` where that is a whole sentence of ours."""
    return Check(name, State.FAILED, found, advice)


def skipped(name: str, because: str) -> Check:
    """It could not be looked at."""
    return Check(name, State.SKIPPED, because)


def is_fine(checks: Sequence[Check]) -> bool:
    """Whether nothing failed; a check that another one's failure prevented counts for nothing."""
    return all(check.state is not State.FAILED for check in checks)


def report(checks: Sequence[Check]) -> dict[str, Any]:
    """All checks for programs."""
    return {"fine": is_fine(checks), "checks": [check.fields() for check in checks]}
