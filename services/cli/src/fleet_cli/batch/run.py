"""One run of a batch: feeds its open lines to the fleet, and writes down how each ends."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from fleet_chassis.clock import Clock
from fleet_cli.batch.book import Book
from fleet_cli.batch.errors import BatchError
from fleet_cli.batch.hours import CheaperHours, until
from fleet_cli.batch.line import LineError, line_of
from fleet_cli.batch.money import Purse, Spent, spent_on
from fleet_cli.batch.output import answered, failed, unfit
from fleet_cli.batch.record import Entry, Standing
from fleet_cli.batch.schema import asking_anew
from fleet_cli.batch.source import Raw, lines_of
from fleet_cli.batch.wish import Wish
from fleet_client import Answer, BatchOutcome, BudgetExceeded, FleetError, Internal, Line
from fleet_client.face import Face

_BREATH = 1000
_LOOK_S = 60.0
NO_MONEY = "--max-cost is reached"


class Tells(Protocol):
    """Whoever shows how it goes on."""

    def changed(self) -> None:
        """A line has ended."""
        ...

    def note(self, what: str) -> None:
        """Something else is worth a line."""
        ...


@dataclass(slots=True)
class UnderWay:
    """A line that was asked and has not ended.

    Attributes:
        number: the line's.
        line: as it was asked first.
        tries: how often it was asked.
        spent: on answers that did not fit.
    """

    number: int
    line: Line = field(repr=False)
    tries: int = 1
    spent: Spent = field(default_factory=Spent)


class Run:
    """One run.

    Args:
        wish: what is wanted.
        book: the results and the journal.
        purse: what it may cost.
        progress: is told of each line that has ended, and of waits.
        clock: says when the cheaper hours are.
    """

    def __init__(self, wish: Wish, book: Book, purse: Purse, progress: Tells, clock: Clock) -> None:
        self.stopped_by = ""
        self._wish = wish
        self._book = book
        self._purse = purse
        self._progress = progress
        self._clock = clock
        self._hours = CheaperHours() if wish.off_peak else None
        self._under_way: dict[str, UnderWay] = {}
        self._again: deque[Line] = deque()
        self._changed = asyncio.Event()

    async def through(self, fleet: Face) -> None:
        """Ask every open line, until all have ended or there is no money for more.

        Raises:
            BatchError: the files can't be read or written.
            FleetError: the fleet can't be asked.
        """
        outcomes = fleet.batch(
            self._lines(), self._wish.name, tenant=self._wish.tenant, window=self._wish.window
        )
        async with aclosing(outcomes):
            async for outcome in outcomes:
                self._settle(outcome)

    async def _lines(self) -> AsyncGenerator[Line]:
        """The open lines as they may be sent, and between them those that are asked once more."""
        for raw in self._open_lines():
            if raw is None:
                await asyncio.sleep(0)
                continue
            await self._until_cheaper_hours()
            async for line in self._asked_again_until(self._may_send):
                yield line
            if not self._may_send():
                self.stopped_by = self.stopped_by or NO_MONEY
                return
            yield self._take_up(raw)
        async for line in self._asked_again_until(lambda: False):
            yield line

    async def _until_cheaper_hours(self) -> None:
        told = False
        while self._hours and (wait_s := self._hours.closed_for_s(self._clock.now_ms())):
            if not told:
                self._progress.note(
                    f"waits for the cheaper hours, until {until(self._clock.now_ms(), wait_s)}"
                )
            told = True
            # A machine that slept meanwhile looks at its clock again.
            await self._clock.sleep(min(wait_s, _LOOK_S))

    def _open_lines(self) -> Iterator[Raw | None]:
        """Lines that have not ended, and None now and then where many have."""
        state = self._book.state
        for raw in lines_of(self._wish.source):
            if not (raw.is_blank or state.is_settled(raw.number)):
                yield raw
            elif raw.number % _BREATH == 0:
                yield None

    async def _asked_again_until(self, is_enough: Callable[[], bool]) -> AsyncGenerator[Line]:
        """What is asked once more, until it is enough or nothing is under way."""
        while self._again or (self._under_way and not is_enough()):
            while self._again:
                yield self._again.popleft()
            if self._under_way and not is_enough():
                self._changed.clear()
                await self._changed.wait()

    def _may_send(self) -> bool:
        if self.stopped_by or self._purse.most_nano is None:
            return not self.stopped_by
        state = self._book.state
        spent = state.cost_nano + sum(one.spent.cost_nano for one in self._under_way.values())
        return self._purse.allows(spent, state.done + state.failed, len(self._under_way))

    def _take_up(self, raw: Raw) -> Line:
        try:
            line = line_of(raw.text or b"", raw.number, self._wish.choices)
        except LineError as error:
            raise BatchError(
                f"{self._wish.source} was changed while it was read (line {raw.number}: {error}): put back "
                "what was there, and run the same command again"
            ) from error
        asked = replace(line, retry=self._book.state.retry(raw.number))
        self._under_way[line.key] = UnderWay(raw.number, asked)
        return asked

    def _settle(self, outcome: BatchOutcome) -> None:
        one = self._under_way[outcome.key]
        one.spent += spent_on(outcome.answer)
        if outcome.answer is None:
            error = outcome.error or Internal("The outcome is empty.")
            self._stop_where_all_would_fail(error)
            self._fail(one, failed(outcome, error))
        elif trouble := self._trouble_of(outcome.answer):
            self._ask_once_more(one, outcome, outcome.answer, trouble)
        else:
            self._answer(one, answered(outcome, outcome.answer))
        self._changed.set()
        self._progress.changed()

    def _trouble_of(self, answer: Answer) -> str:
        return self._wish.schema.trouble_of(answer) if self._wish.schema else ""

    def _ask_once_more(self, one: UnderWay, outcome: BatchOutcome, answer: Answer, trouble: str) -> None:
        if one.tries >= self._wish.tries:
            self._fail(one, unfit(outcome, answer, trouble, one.tries))
            return
        one.tries += 1
        self._again.append(asking_anew(one.line, answer, trouble))

    def _answer(self, one: UnderWay, line: bytes) -> None:
        self._book.answer(self._entry(one, Standing.DONE, len(line)), line)
        del self._under_way[one.line.key]

    def _fail(self, one: UnderWay, said: dict[str, Any]) -> None:
        self._book.fail(replace(self._entry(one, Standing.FAILED, 0), failure=said))
        del self._under_way[one.line.key]

    def _entry(self, one: UnderWay, standing: Standing, size: int) -> Entry:
        spent = one.spent
        return Entry(
            one.number,
            standing,
            one.line.retry,
            self._book.state.end + size,
            spent.prompt_tokens,
            spent.completion_tokens,
            spent.cost_nano,
        )

    def _stop_where_all_would_fail(self, error: FleetError) -> None:
        if isinstance(error, BudgetExceeded):
            self.stopped_by = error.message
