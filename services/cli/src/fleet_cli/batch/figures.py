"""Pure: how a batch stands, in numbers that add up, and as a line for people."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from fleet_cli.batch.money import NANO, dollars
from fleet_cli.batch.state import State

_WINDOW_S = 30.0
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Figures:
    """Lines, tokens and money of a batch, over all its runs.

    Attributes:
        lines: in the input.
        done, failed: of them.
        rate: lines that end in a second, lately; 0 where nobody knows yet.
    """

    lines: int
    done: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_nano: int
    rate: float = 0.0

    @property
    def settled(self) -> int:
        """Lines that have ended."""
        return self.done + self.failed

    @property
    def left(self) -> int:
        """Lines that have not."""
        return self.lines - self.settled

    @property
    def expected_nano(self) -> int:
        """What all lines cost if the rest costs what a line has cost so far."""
        return self.cost_nano * self.lines // self.settled if self.settled else 0

    def line(self) -> str:
        """All of it for people."""
        parts = [f"{self.settled} of {self.lines} lines", f"{self.done} done", f"{self.failed} failed"]
        parts.append(f"{short(self.prompt_tokens + self.completion_tokens)} tokens")
        cost = dollars(self.cost_nano)
        parts.append(f"{cost} of about {dollars(self.expected_nano)}" if self.left and self.settled else cost)
        if self.rate and self.left:
            parts += [f"{self.rate:.1f}/s", f"{duration(self.left / self.rate)} left"]
        return ", ".join(parts)

    def fields(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "lines": self.lines,
            "done": self.done,
            "failed": self.failed,
            "left": self.left,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": {"amount": f"{self.cost_nano / NANO:.9f}", "currency": "USD"},
        }


def figures_of(state: State, lines: int, rate: float = 0.0) -> Figures:
    """What the records say."""
    return Figures(
        lines,
        state.done,
        state.failed,
        state.prompt_tokens,
        state.completion_tokens,
        state.cost_nano,
        rate,
    )


class Rate:
    """How many lines end in a second, over the last half minute."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def of(self, at_s: float, settled: int) -> float:
        """The rate at a moment at which so many have ended."""
        if not self._marks or at_s - self._marks[-1][0] >= 1:
            self._marks.append((at_s, settled))
        while at_s - self._marks[0][0] > _WINDOW_S and len(self._marks) > 1:
            self._marks.popleft()
        since, then = self._marks[0]
        return (settled - then) / (at_s - since) if at_s > since else 0.0


def short(count: int) -> str:
    """A number in a few characters."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def duration(seconds: float) -> str:
    """A time in a few characters."""
    whole = round(seconds)
    if whole >= _HOUR:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _MINUTE} min {whole % _MINUTE} s" if whole >= _MINUTE else f"{whole} s"
