"""What a bench prints."""

import sys
from collections.abc import Sequence

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
