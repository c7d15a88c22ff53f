"""What the limiter's bench found: a line for each figure as it comes, and a table of all at the end."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figure:
    """One figure."""

    scenario: str
    what: str
    measured: str
    goal: str = ""
    met: bool | None = None
    """None where the figure has no goal: it is there to be compared with."""
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    def cells(self) -> list[str]:
        """The columns of the table."""
        verdict = {None: "", True: "yes", False: "**no**"}[self.met]
        return [self.scenario, self.what, self.measured, self.goal, verdict, f"{self.load:.1f}"]


HEAD = ["scenario", "figure", "measured", "goal", "met", "load"]


def say(figures: Iterable[Figure]) -> list[Figure]:
    """Print each; returns all."""
    told = list(figures)
    for one in told:
        goal = f" (goal {one.goal}: {'met' if one.met else 'MISSED'})" if one.goal else ""
        _print(f"{one.scenario}: {one.what} {one.measured}{goal}; load {one.load:.1f}")
    return told


def progress(text: str) -> None:
    """Print a line that belongs to no table."""
    _print(text)


def table(figures: list[Figure]) -> None:
    """Print all of them as Markdown."""
    rows = [HEAD, ["---"] * len(HEAD), *(one.cells() for one in figures)]
    _print("\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))


def percent(share: float) -> str:
    """As in 98.7 %."""
    return f"{100 * share:.1f} %"


def ms(seconds: float) -> str:
    """As in 1.25 ms."""
    return f"{1000 * seconds:.3g} ms"


def percentile(values: list[float], share: float) -> float:
    """Of sorted values; 0 of none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
