import io
from typing import get_args, get_type_hints

import pytest
from rich.console import Console

from fleet_cli.answer_view import AnswerView, remark
from fleet_cli.asking import messages_of, prompt_of
from fleet_cli.commands.ask import ask
from fleet_cli.main import status_of
from fleet_cli.wrong_input import WrongInputError
from fleet_client import Answer, Event, Finished, Reasoning, Restarted, Text, Timings
from fleet_contracts.grammar import Lane

NOWHERE = "amqp://127.0.0.1:1/"


@pytest.fixture(autouse=True)
def a_broker_url(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AMQP_URL", NOWHERE)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing argument 'PROMPT'; see `fleet ask --help`"),
        ([""], "there is nothing to ask"),
        ([" \n"], "there is nothing to ask"),
        (["Hi", "--lane", "fast"], "'interactive', 'batch'"),
        (["Hi", "--max-tokens", "0"], "Invalid value for '--max-tokens'"),
        (["Hi", "--timeout", "soon"], "Invalid value for '--timeout'"),
        (["Hi", "--tenant", "a.b"], "'a.b' is no tenant"),
        (["Hi", "--modle", "x"], "--model"),
        (["Why", "not?"], "unexpected extra argument"),
        (["\udcff"], "no UTF-8 text"),
    ],
)
def test_a_wrong_question_is_one_sentence_and_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
):
    assert status_of(["ask", *arguments]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize("url", ["localhost", "http://host/", "amqp://h:1:2/"])
def test_a_url_that_is_none_is_one_sentence_and_status_2(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AMQP_URL", url)
    assert status_of(["ask", "Hi"]) == 2
    assert capsys.readouterr().err.startswith("fleet: AMQP_URL is wrong: set it as in ")


def test_a_hyphen_reads_the_question_from_standard_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("What is\nrain?\n"))
    assert prompt_of("-") == "What is\nrain?\n"


def test_input_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
    with pytest.raises(WrongInputError, match="no UTF-8 text"):
        prompt_of("-")


def test_what_the_model_is_told_first_comes_before_the_question():
    assert messages_of("Hi", "Be brief.") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    assert len(messages_of("Hi", "")) == 1


def test_the_lanes_of_the_command_are_those_of_the_contract():
    hint = get_type_hints(ask)["lane"]
    assert set(get_args(hint)) == {lane.value for lane in Lane}


def an_answer(text: str) -> Answer:
    timings = Timings(queued_ms=1, permit_ms=1, first_content_ms=None, upstream_ms=1, total_ms=1500)
    return Answer("c-1", text, "", (), "stop", None, None, timings, 1, degraded=False, response={})


def shown(*events: Event, terminal: bool) -> tuple[str, str]:
    """What goes to standard output and to standard error."""
    files = io.StringIO(), io.StringIO()
    answer, aside = (
        Console(file=file, force_terminal=terminal, width=80, _environ={"TERM": "xterm"}) for file in files
    )
    view = AnswerView(answer, aside, live=answer.is_terminal)
    for event in events:
        view.show(event)
    view.close()
    return files[0].getvalue(), files[1].getvalue()


def test_thinking_is_dimmed_on_a_terminal_and_plain_in_a_pipe():
    assert "\x1b[2;3mLet me think." in shown(Reasoning("Let me think."), terminal=True)[1]
    assert shown(Reasoning("Let me think."), terminal=False) == ("", "Let me think.\n")


def test_a_terminal_shows_the_text_as_it_comes():
    assert shown(Text("Forty"), Text("-two"), terminal=True)[0] == "Forty-two\n"


def test_a_pipe_gets_the_whole_answer_and_nothing_of_an_attempt_that_broke():
    events = (
        Text("Forty-th"),
        Restarted(2, "worker_lost"),
        Text("Forty-two"),
        Finished(an_answer("Forty-two")),
    )
    answer, aside = shown(*events, terminal=False)
    assert answer == "Forty-two\n"
    assert "attempt 2" in aside
    assert "1.5 s in all, request c-1" in aside


def test_nothing_that_deepseek_says_commands_the_terminal():
    assert remark("no \x1b[2J such model").plain.isprintable()
