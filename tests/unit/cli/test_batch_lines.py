"""What a line of a batch's input stands for, and what is wrong with a file."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cli.batch.checking import WrongLinesError, checked, demand
from fleet_cli.batch.choosing import choices
from fleet_cli.batch.keys import Keys, digest_of
from fleet_cli.batch.line import Choices, LineError, line_of
from fleet_cli.batch.schema import Schema
from fleet_cli.batch.source import MOST_BYTES
from fleet_cli.wrong_input import WrongInputError
from fleet_client import Line
from fleet_contracts import RequestType

PLAIN = Choices()
BODY = {"model": "deepseek-v4-pro", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 5}


def read(line: Any, number: int = 7, chosen: Choices = PLAIN) -> Line:
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    return line_of(text + b"\n", number, chosen)


def test_openais_batch_line_is_taken_as_it_stands() -> None:
    line = read({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": BODY})
    assert line == Line(BODY["messages"], "a", {"model": "deepseek-v4-pro", "max_tokens": 5})  # pyright: ignore[reportArgumentType]


def test_a_plain_text_and_a_prompt_are_one_user_message() -> None:
    asked = [{"role": "user", "content": "Why is it so?"}]
    assert read(b"Why is it so?") == Line(asked, "line-7", {"model": "deepseek-flash"})
    with_fields = read({"prompt": "Why is it so?", "custom_id": "b", "temperature": 0.5})
    assert with_fields == Line(asked, "b", {"model": "deepseek-flash", "temperature": 0.5})


def test_a_line_may_be_messages_alone_or_a_fill_in_the_middle() -> None:
    assert read(BODY).fields == {"model": "deepseek-v4-pro", "max_tokens": 5}
    fim = read({"url": "/v1/completions", "body": {"prompt": "def f(", "suffix": "return 1"}})
    assert (fim.type, fim.prompt, fim.fields["suffix"]) == (RequestType.FIM, "def f(", "return 1")


def test_the_command_lines_word_on_the_model_wins_and_its_other_words_fill_in() -> None:
    chosen = choices("deepseek-flash", "Be brief.", 9, thinking=False, schema=None)
    mine = read({"body": BODY}, chosen=chosen)
    assert mine.fields == {"model": "deepseek-flash", "max_tokens": 5, "thinking": {"type": "disabled"}}
    assert [message["role"] for message in mine.prompt] == ["system", "user"]  # pyright: ignore[reportArgumentType, reportIndexIssue]
    own = {"messages": [{"role": "system", "content": "Sing."}, {"role": "user", "content": "Why?"}]}
    assert read(own, chosen=chosen).prompt == own["messages"]


def test_a_schema_turns_json_mode_on_and_comes_first() -> None:
    chosen = choices(
        "", "Be brief.", None, thinking=None, schema=Schema(b'{"type": "object"}', "schema.json")
    )
    line = read(b"Why?", chosen=chosen)
    assert line.fields["response_format"] == {"type": "json_object"}
    first, second, _ = line.prompt
    assert "JSON Schema" in first["content"]  # pyright: ignore[reportArgumentType, reportCallIssue, reportUnknownVariableType]
    assert second["content"] == "Be brief."  # pyright: ignore[reportArgumentType, reportCallIssue]


WRONG: list[tuple[Any, str]] = [
    (b'{"prompt": "Why', "begins like JSON and is none"),
    (b"\xff\xfe", "no UTF-8"),
    ({"custom_id": "a"}, "no prompt, no messages and no body"),
    ({"custom_id": 3, "prompt": "Why?"}, "custom_id has to be a text"),
    ({"custom_id": "", "prompt": "Why?"}, "custom_id has to be a text"),
    ({"custom_id": "a\nb", "prompt": "Why?"}, "custom_id has to be a text"),
    ({"custom_id": "a", "url": "/v1/embeddings", "body": BODY}, "url has to be"),
    ({"custom_id": "a", "method": "GET", "body": BODY}, "method has to be"),
    ({"custom_id": "a", "body": []}, "body has to be an object"),
    ({"custom_id": "a", "body": BODY, "priority": 1}, "'priority' beside"),
    ({"body": {**BODY, "stream": True}}, "stream can't be true"),
    ({"body": {**BODY, "temperature": 7}}, "temperature: "),
    ({"body": {**BODY, "model": "deepseek-chat"}}, "deepseek-flash"),
    ({"prompt": "Why?", "messages": []}, "both a prompt and messages"),
    ({"prompt": "  "}, "prompt has to be a text"),
    ({"messages": "Why?"}, "messages: "),
]


@pytest.mark.parametrize(("line", "sentence"), WRONG)
def test_a_line_that_is_no_request_says_why(line: Any, sentence: str) -> None:
    with pytest.raises(LineError, match=sentence):
        read(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_sentence(text: bytes) -> None:
    line = text.split(b"\n")[0]
    if line.strip():
        with suppress(LineError):
            assert line_of(line, 1, PLAIN).key


@given(st.lists(st.text(max_size=3), max_size=60))
def test_words_that_come_twice_are_found(words: list[str]) -> None:
    keys = Keys()
    for word in words:
        keys.add(word)
    assert keys.repeated() == {digest_of(word) for word in words if words.count(word) > 1}


def test_a_file_that_is_wrong_is_told_by_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    lines = [
        b"fine",
        b"",
        b'{"custom_id": "a", "prompt": "x"}',
        b"{broken",
        b'{"custom_id": "a", "prompt": "y"}',
    ]
    path.write_bytes(b"\n".join(lines))
    found = checked(path, PLAIN)
    assert (found.lines, found.last, found.wrong) == (4, 5, 2)
    with pytest.raises(WrongLinesError, match="nothing was sent, because 2 of 4 lines") as told:
        demand(found, path)
    first, second = told.value.sentences
    assert first.startswith("line 4: it begins like JSON")
    assert second == "line 5: custom_id 'a' was used in line 3 already"


def test_what_is_wrong_is_told_in_the_order_of_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'{"custom_id": "a", "prompt": "x"}\n{"custom_id": "a", "prompt": "y"}\n{broken\n')
    assert [sentence.split(":")[0] for sentence in checked(path, PLAIN).sentences()] == ["line 2", "line 3"]


def test_only_the_first_problems_are_named_and_all_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"{\n" * 25)
    found = checked(path, PLAIN)
    assert len(found.sentences()) == 11
    assert found.sentences()[-1] == "and 15 more lines are wrong"


def test_lines_that_are_too_large_are_told_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"x" * (9 * 1024 * 1024) + b"\n" + b"y" * (MOST_BYTES + 5) + b"\nfine\n")
    assert [number for number, _ in checked(path, PLAIN).problems] == [1, 2]


def test_an_empty_file_and_a_missing_one_are_told(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    with pytest.raises(WrongInputError, match="can't be read"):
        checked(path, PLAIN)
    path.write_bytes(b"\n \n")
    with pytest.raises(WrongInputError, match="has no lines"):
        demand(checked(path, PLAIN), path)


def test_a_byte_order_mark_and_windows_line_ends_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt": "x"}\r\nWhy?\r\n')
    assert (checked(path, PLAIN).wrong, checked(path, PLAIN).lines) == (0, 2)


def test_lines_that_were_added_leave_the_digest_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"one\ntwo")
    before = checked(path, PLAIN)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert checked(path, PLAIN, known=before.last).known_sha256 == before.sha256
    path.write_bytes(b"one\nTWO\nthree\n")
    assert checked(path, PLAIN, known=before.last).known_sha256 != before.sha256
