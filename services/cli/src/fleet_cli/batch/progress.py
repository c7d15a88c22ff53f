"""Shows how a batch goes on: a live bar on a terminal, a plain line now and then anywhere else."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from fleet_cli.batch.figures import Figures
from fleet_cli.console import complain

EVERY_S = 10.0


class Shows(Protocol):
    """Is told the figures as often as they change, and now and then."""

    def show(self, figures: Figures) -> None:
        """Show them, if it is time to."""
        ...

    def note(self, what: str) -> None:
        """Show something else that is worth a line."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and leave the terminal as it was."""
        ...


class Bar:
    """A live bar at the foot of a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            BarColumn(), TextColumn("{task.fields[figures]}"), console=console, refresh_per_second=4
        )
        self._task = self._progress.add_task("", total=None, figures="")

    def show(self, figures: Figures) -> None:
        """Move the bar."""
        self._progress.update(
            self._task, total=figures.lines, completed=figures.settled, figures=figures.line()
        )

    def note(self, what: str) -> None:
        """A line above the bar."""
        self._progress.console.print(what)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class PlainLines:
    """A line every ten seconds, for a log.

    Args:
        now_s: monotonic time in seconds.
        say: takes a line.
    """

    def __init__(self, now_s: Callable[[], float], say: Callable[[str], None] = complain) -> None:
        self._now_s = now_s
        self._say = say
        self._next_s = now_s() + EVERY_S

    def show(self, figures: Figures) -> None:
        """Say how it goes, if nothing was said for ten seconds."""
        if self._now_s() >= self._next_s:
            self._next_s = self._now_s() + EVERY_S
            self._say(figures.line())

    def note(self, what: str) -> None:
        """Say it now."""
        self._say(what)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""


def progress_on(console: Console, now_s: Callable[[], float]) -> Shows:
    """What suits where standard error goes."""
    return Bar(console) if console.is_terminal else PlainLines(now_s)
