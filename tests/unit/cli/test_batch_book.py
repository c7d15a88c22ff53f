"""The two files of a batch, torn at every byte."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cli.batch.book import Book, journal_of, opened, read_state
from fleet_cli.batch.record import Begun, Entry, Input, Record, Standing, Whole, line_of, record_in
from fleet_cli.batch.state import MOST_RETRIES, State
from fleet_cli.wrong_input import WrongInputError

BEGUN = Begun("mine", "default", {"model": ""})
INPUT = Input("prompts.jsonl", 9, 9, "ab")


@pytest.fixture(scope="module", autouse=True)
def unflushed() -> Iterator[None]:
    """What lies in the files is the subject; to wait for the disk some thousand times shows no more of it."""

    def at_once(_file: int) -> None: ...

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("fleet_cli.batch.book.os.fsync", at_once)
        yield


def said(key: int, text: str = "yes") -> bytes:
    return orjson.dumps({"custom_id": str(key), "response": text, "error": None}) + b"\n"


def answer(book: Book, number: int, text: str = "yes") -> None:
    line = said(number, text)
    book.answer(Entry(number, Standing.DONE, 0, book.state.end + len(line), 1, 2, 3), line)


def fail(book: Book, number: int, retry: int = 0) -> None:
    failure: dict[str, Any] = {"custom_id": str(number), "response": None, "error": {"code": "internal"}}
    book.fail(Entry(number, Standing.FAILED, retry, book.state.end, failure=failure))


def a_batch(results: Path) -> None:
    """Four answers and two failures, in two runs."""
    with opened(results) as book:
        book.begin(BEGUN)
        book.find(INPUT)
        book.resume()
        answer(book, 2)
        fail(book, 1)
        answer(book, 3, "a longer answer")
        book.end()
    with opened(results) as book:
        book.resume()
        answer(book, 4)
        fail(book, 5)
        answer(book, 6)
        book.end()


def keys_in(results: Path) -> list[str]:
    return [orjson.loads(line)["custom_id"] for line in results.read_bytes().splitlines()]


def whole_after_a_run(results: Path) -> list[str]:
    """What the results say after one more run that finds nothing new to do."""
    with opened(results) as book:
        book.resume()
        book.end()
    return keys_in(results)


def test_answers_stand_as_they_came_and_failures_behind_them(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    a_batch(results)
    assert keys_in(results) == ["2", "3", "4", "6", "1", "5"]
    state, runs = read_state(results)
    assert (state.done, state.failed, state.cost_nano, runs) == (4, 2, 12, False)
    assert state.whole == results.stat().st_size


def test_a_journal_torn_at_any_byte_leaves_whole_lines_and_no_key_twice(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    a_batch(results)
    journal, answers = journal_of(results).read_bytes(), results.read_bytes()
    for cut in range(len(journal) + 1):
        journal_of(results).write_bytes(journal[:cut])
        results.write_bytes(answers)
        if cut == 0:
            continue  # an empty journal beside results is a stranger's file: see below
        keys = whole_after_a_run(results)
        assert len(keys) == len(set(keys))
        state, _ = read_state(results)
        assert len(keys) == state.done + state.failed


def test_results_torn_at_any_byte_leave_whole_lines_and_no_key_twice(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    a_batch(results)
    journal, answers = journal_of(results).read_bytes(), results.read_bytes()
    for cut in range(len(answers) + 1):
        journal_of(results).write_bytes(journal)
        results.write_bytes(answers[:cut])
        keys = whole_after_a_run(results)
        assert len(keys) == len(set(keys))
        state, _ = read_state(results)
        assert len(keys) == state.done + state.failed


@given(st.integers(0, 2000), st.integers(0, 2000), st.binary(max_size=30))
def test_whatever_a_kill_left_of_both_files_is_mended(cut: int, torn: int, rubbish: bytes) -> None:
    with TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        a_batch(results)
        journal, answers = journal_of(results).read_bytes(), results.read_bytes()
        journal_of(results).write_bytes(journal[: max(1, cut)])
        # What was appended can be missing; only behind all of it can there be something else.
        results.write_bytes(answers[:torn] + (rubbish if torn >= len(answers) else b""))
        keys = whole_after_a_run(results)
        assert len(keys) == len(set(keys))
        # A second look changes nothing.
        assert whole_after_a_run(results) == keys


def test_a_kill_between_answer_and_entry_costs_the_answer_only_until_its_reply_comes_again(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results.jsonl"
    a_batch(results)
    with results.open("ab") as file:
        file.write(said(9)[:-4])
    with opened(results) as book:
        assert not book.state.is_settled(9)
        book.resume()
        answer(book, 9)
        book.end()
    assert keys_in(results) == ["2", "3", "4", "6", "9", "1", "5"]


def test_failed_lines_are_taken_away_when_they_are_asked_anew(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    a_batch(results)
    with opened(results) as book:
        book.ask_failed_again()
        assert [book.state.retry(number) for number in (1, 5)] == [1, 1]
        assert book.state.standing(1) is Standing.AGAIN
        book.resume()
        answer(book, 1)
        fail(book, 5, retry=1)
        book.end()
    assert keys_in(results) == ["2", "3", "4", "6", "1", "5"]
    with opened(results) as book:
        assert (book.state.done, book.state.failed) == (5, 1)


def test_a_line_that_failed_too_often_stays_failed(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    a_batch(results)
    with opened(results) as book:
        fail(book, 5, retry=MOST_RETRIES)
        book.ask_failed_again()
        assert book.state.standing(5) is Standing.FAILED


def test_a_second_run_says_that_one_is_under_way(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    with opened(results) as book:
        book.begin(BEGUN)
        with pytest.raises(WrongInputError, match="another run of this batch is under way"), opened(results):
            pass
        assert read_state(results)[1]


def test_a_file_that_is_no_batchs_is_left_alone(tmp_path: Path) -> None:
    results = tmp_path / "thesis.txt"
    results.write_text("years of work\n")
    with pytest.raises(WrongInputError, match="no batch of ours"), opened(results):
        pass
    assert results.read_text() == "years of work\n"
    assert not journal_of(results).exists()
    with pytest.raises(WrongInputError, match="can't be read"):
        read_state(results)
    with (
        pytest.raises(WrongInputError, match="can't be written"),
        opened(tmp_path / "no" / "such" / "folder"),
    ):
        pass


RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.just(BEGUN),
    st.builds(Input, st.text(max_size=5), st.integers(0, 9), st.integers(0, 9), st.text(max_size=5)),
    st.builds(
        Entry, st.integers(1, 9), st.sampled_from(Standing), st.integers(0, 63), *[st.integers(0, 10**12)] * 4
    ),
    st.builds(Whole, st.integers(0, 10**12)),
)


@given(RECORDS)
def test_a_record_is_read_as_it_was_written_and_no_part_of_it_is_one(record: Record) -> None:
    line = line_of(record)
    assert record_in(line) == record
    assert all(record_in(line[:cut]) is None for cut in range(len(line)))


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(Standing)), max_size=60))
def test_every_line_counts_once_however_often_it_was_asked(entries: list[tuple[int, Standing]]) -> None:
    state, last = State(), dict[int, Standing]()
    for number, standing in entries:
        state.take(Entry(number, standing, 0, 0))
        last[number] = standing
    assert state.done == list(last.values()).count(Standing.DONE)
    assert state.failed == list(last.values()).count(Standing.FAILED)
    assert all(state.standing(number) is last.get(number) for number in range(40))


def test_an_entry_shows_no_text() -> None:
    entry = replace(Entry(1, Standing.FAILED, 0, 0), failure={"response": "CANARY"})
    assert "CANARY" not in repr(entry)
