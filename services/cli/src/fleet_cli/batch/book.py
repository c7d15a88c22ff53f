"""The two files of a batch: the results, and beside them the journal that says what is in them.

A line's answer is appended to the results, then its entry to the journal. Whatever a kill leaves behind the
last entry is cut off on opening; its reply was not acknowledged yet and comes again. Answers stand in the
order in which they came. Failed lines are kept in the journal and written behind the answers when a run
ends, so that one that is asked anew can be taken away by cutting the file.
"""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from fleet_cli.batch.errors import BatchError
from fleet_cli.batch.record import Begun, Entry, Input, Record, Standing, Whole, line_of, records_in
from fleet_cli.batch.state import MOST_RETRIES, State
from fleet_cli.wrong_input import WrongInputError

SUFFIX = ".journal"


class Book:
    """The open files of one batch, held by this program alone.

    Args:
        results: the results file, open for reading and writing.
        journal: the journal, the same.
    """

    def __init__(self, results: BinaryIO, journal: BinaryIO) -> None:
        self._results = results
        self._journal = journal
        self.state = State()

    def recover(self) -> None:
        """Bring both files to the last record that both agree on."""
        size = os.fstat(self._results.fileno()).st_size
        end = 0
        for record, ends_at in _records(self._journal):
            if isinstance(record, Entry) and record.end > size:
                break
            if not isinstance(record, Whole) or record.size == size:
                self.state.take(record)
            end = ends_at
        self._journal.truncate(end)
        if self.state.whole is None and self.state.begun is not None:
            self._results.truncate(self.state.end)

    def begin(self, begun: Begun) -> None:
        """Write down which batch this is."""
        self._record(begun)

    def find(self, found: Input) -> None:
        """Write down the input as this run found it."""
        self._record(found)

    def resume(self) -> None:
        """Take the failed lines away: from now on the results hold answers alone, and more of them come."""
        self._results.truncate(self.state.end)
        self.state.whole = None

    def answer(self, entry: Entry, line: bytes) -> None:
        """Append an answer, and its entry."""
        _append(self._results, line)
        self._record(entry)

    def fail(self, entry: Entry) -> None:
        """Note that a line failed; the results say so when the run ends."""
        self._record(entry)

    def ask_failed_again(self) -> None:
        """Open every failed line again, under its next retry."""
        for number, retry in [(entry.number, entry.retry + 1) for entry in self._failures()]:
            if retry <= MOST_RETRIES:
                self._record(Entry(number, Standing.AGAIN, retry, self.state.end))

    def end(self) -> None:
        """Write the failed lines behind the answers: the results are whole."""
        self._results.truncate(self.state.end)
        for entry in self._failures():
            _append(self._results, orjson.dumps(entry.failure) + b"\n")
        os.fsync(self._results.fileno())
        self._record(Whole(os.fstat(self._results.fileno()).st_size))
        os.fsync(self._journal.fileno())

    def _failures(self) -> Iterator[Entry]:
        """The entries of the lines that stand as failed."""
        for record, _ in _records(self._journal):
            if (
                isinstance(record, Entry)
                and record.standing is Standing.FAILED
                and self.state.standing(record.number) is Standing.FAILED
                and self.state.retry(record.number) == record.retry
            ):
                yield record

    def _record(self, record: Record) -> None:
        _append(self._journal, line_of(record))
        self.state.take(record)


@contextmanager
def opened(results: Path) -> Generator[Book]:
    """The book of a results file, which nobody else has open meanwhile.

    Raises:
        WrongInputError: another run has it open, it can't be written, or the file is no batch's.
    """
    _refuse_a_strangers(results)
    with _open(journal_of(results)) as journal, _open(results) as file:
        _lock(journal, results)
        book = Book(file, journal)
        book.recover()
        yield book


def read_state(results: Path) -> tuple[State, bool]:
    """How a batch stands by its journal, and whether a run has it open; changes nothing.

    Raises:
        WrongInputError: there is no journal.
    """
    path = journal_of(results)
    try:
        with path.open("rb") as journal:
            state = State()
            for record, _ in _records(journal):
                state.take(record)
            return state, _is_locked(journal)
    except OSError as error:
        raise WrongInputError(
            f"{path} can't be read ({error.strerror}): give the results file of a batch that was begun here"
        ) from error


def journal_of(results: Path) -> Path:
    """Where the journal of a results file is."""
    return results.with_name(results.name + SUFFIX)


def _refuse_a_strangers(results: Path) -> None:
    journal = journal_of(results)
    is_begun = journal.is_file() and journal.stat().st_size
    if results.exists() and not is_begun and (not results.is_file() or results.stat().st_size):
        raise WrongInputError(
            f"{results} is there already and no batch of ours: give another -o, or move it away"
        )


def _open(path: Path) -> BinaryIO:
    try:
        path.touch()
        # Unbuffered: a write is one write, and what was written outlives a kill.
        return cast("BinaryIO", path.open("r+b", buffering=0))
    except OSError as error:
        raise WrongInputError(
            f"{path} can't be written ({error.strerror}): give another -o, or the right to write there"
        ) from error


def _records(journal: BinaryIO) -> Iterator[tuple[Record, int]]:
    with os.fdopen(os.dup(journal.fileno()), "rb") as reading:
        reading.seek(0)
        yield from records_in(iter(reading))


def _append(file: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    try:
        file.seek(0, os.SEEK_END)
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise BatchError(
            f"the results can't be written ({error.strerror}): make room, then run the same command "
            "again; it goes on where it was"
        ) from error


def _lock(journal: BinaryIO, results: Path) -> None:
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WrongInputError(
            f"another run of this batch is under way and writes {results}: let it end, or look at it with "
            f"`fleet batch status {results}`"
        ) from error


def _is_locked(journal: BinaryIO) -> bool:
    try:
        fcntl.flock(journal, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(journal, fcntl.LOCK_UN)
    return False
