"""Runs a batch: opens its book, checks its input, asks what is open, and says how it ended."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_cli.batch.book import Book, opened
from fleet_cli.batch.checking import Checked, checked, demand
from fleet_cli.batch.figures import Figures, Rate, figures_of
from fleet_cli.batch.guess import guess_nano
from fleet_cli.batch.money import Purse
from fleet_cli.batch.progress import Shows
from fleet_cli.batch.record import Input
from fleet_cli.batch.run import Run
from fleet_cli.batch.wish import Wish, demand_the_same
from fleet_cli.wrong_input import WrongInputError
from fleet_client.face import Face

OpenFleet = Callable[[], AbstractAsyncContextManager[Face]]
_TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        figures: of the whole batch.
        stopped_by: why lines were left out; empty where none were.
        asked: lines that ended in this run.
        took_s: seconds that it took.
    """

    figures: Figures
    stopped_by: str
    asked: int
    took_s: float

    @property
    def is_complete(self) -> bool:
        """Whether every line has its answer."""
        return self.figures.done == self.figures.lines


async def run_batch(wish: Wish, fleet: OpenFleet, progress: Shows, clock: Clock) -> Ended:
    """Answer what is open of a batch; whatever stops it, the same call goes on where it was.

    Raises:
        WrongInputError: the input or the terms are wrong, or another run is under way; nothing was sent.
        BatchError, FleetError: it can't go on; the text says what to do.
    """
    began_s = clock.monotonic()
    with opened(wish.results) as book:
        found = _looked_over(wish, book)
        before = book.state.done + book.state.failed
        if wish.retry_failed:
            before -= book.state.failed
            book.ask_failed_again()
        stopped_by = await _ask_what_is_open(wish, book, found, fleet, progress, clock)
        figures = figures_of(book.state, found.lines)
    return Ended(figures, stopped_by, figures.settled - before, clock.monotonic() - began_s)


def _looked_over(wish: Wish, book: Book) -> Checked:
    begun, known = book.state.begun, book.state.input
    if begun is not None:
        demand_the_same(begun, wish.begun(), wish.results)
    found = checked(wish.source, wish.choices, known.last if known else 0)
    demand(found, wish.source)
    if known is not None and known.sha256 != found.known_sha256:
        raise WrongInputError(
            f"{wish.source} is not what it was when {wish.results} was begun: lines may be added at its end "
            "and nothing else; begin anew with another -o"
        )
    if begun is None:
        book.begin(wish.begun())
    now = Input(str(wish.source), found.last, found.lines, found.sha256)
    if now != known:
        book.find(now)
    return found


async def _ask_what_is_open(
    wish: Wish, book: Book, found: Checked, fleet: OpenFleet, progress: Shows, clock: Clock
) -> str:
    tells = _Tells(book, found.lines, progress, clock)
    run = Run(wish, book, Purse(wish.most_nano, guess_nano(found, wish, clock.now_ms())), tells, clock)
    try:
        if book.state.done + book.state.failed < found.lines:
            book.resume()
            async with fleet() as opened_fleet, _ticking(tells.changed, clock):
                with progress:
                    await run.through(opened_fleet)
    finally:
        if book.state.whole is None:
            book.end()
    return run.stopped_by


class _Tells:
    def __init__(self, book: Book, lines: int, progress: Shows, clock: Clock) -> None:
        self._book = book
        self._lines = lines
        self._progress = progress
        self._clock = clock
        self._rate = Rate()

    def changed(self) -> None:
        state = self._book.state
        rate = self._rate.of(self._clock.monotonic(), state.done + state.failed)
        self._progress.show(figures_of(state, self._lines, rate))

    def note(self, what: str) -> None:
        self._progress.note(what)


@asynccontextmanager
async def _ticking(show: Callable[[], None], clock: Clock) -> AsyncGenerator[None]:
    async def tick() -> None:
        while True:
            show()
            await clock.sleep(_TICK_S)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])
