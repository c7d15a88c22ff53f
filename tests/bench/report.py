"""What a bench prints."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bench.goals import Goal


class Report:
    """Lines on the standard output, each as soon as it is known."""

    def heading(self, title: str) -> None:
        self.line(f"\n{title}")

    def line(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def goals(self, goals: Sequence[Goal]) -> None:
        """The table that the exit status speaks of."""
        self.heading("goals")
        width = max((len(goal.name) for goal in goals), default=0)
        for goal in goals:
            mark = "holds " if goal.holds else "MISSED"
            self.line(f"  {mark} {goal.name:<{width}}  {goal.value:<34} goal {goal.goal}")


def as_markdown(goals: Sequence[Goal], machine: Mapping[str, Any]) -> str:
    """The same as a table for a page."""
    rows = [
        f"| {one.name} | {one.goal} | {one.value} | {'yes' if one.holds else '**no**'} |" for one in goals
    ]
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())
    return "\n".join(
        [said, "", "| goal | at least or at most | measured | holds |", "|---|---|---|---|", *rows, ""]
    )
