import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from fleet_cli.main import status_of
from fleet_contracts.definitions import definitions


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'; see `fleet --help`"),
        (["asc"], "No such command 'asc'. Did you mean 'ask'?"),
        (["topology", "aply"], "Did you mean 'apply'?; see `fleet topology --help`"),
        (["doctor", "--jsn"], "--json"),
        (["tail", "--count", "-1"], "Invalid value for '--count'"),
        (["tail"], "AMQP_URL is not set and no stack runs here"),
        (["up", "--workers", "many"], "Invalid value for '--workers'"),
        (["up", "--workers", "-1"], "Invalid value for '--workers'"),
        (["up", "--workers"], "Option '--workers' requires an argument; see `fleet up --help`"),
        (["show", ""], "give the request's correlation ID"),
        (["up", "two"], "unexpected extra argument(s) (two); see `fleet up --help`"),
        (["demo", "--fast"], "No such option: --fast; see `fleet demo --help`"),
        (["ask"], "Missing argument 'PROMPT'; see `fleet ask --help`"),
        (["ask", "What", "is"], "unexpected extra argument(s) (is); see `fleet ask --help`"),
        (
            ["ask", "Hi", "--lane", "fast"],
            "Invalid value for '--lane': 'fast' is not one of 'interactive', 'batch';",
        ),
        (["ask", "Hi", "--max-tokens", "0"], "Invalid value for '--max-tokens'"),
        (["ask", "Hi", "--timeout", "inf"], "Invalid value for '--timeout'"),
        (["ask", "Hi", "--timeout", "nan"], "Invalid value for '--timeout'"),
        (["ask", "Hi", "--system"], "Option '--system' requires an argument; see `fleet ask --help`"),
        (["help", "ask"], "unexpected extra argument(s) (ask); see `fleet help --help`"),
        (["settings", "all"], "unexpected extra argument(s) (all); see `fleet settings --help`"),
        (["topology", "apply", "now"], "see `fleet topology apply --help`"),
        (
            ["worker", "--settings", "no-such-file"],
            "file 'no-such-file' does not exist; see `fleet worker --help`",
        ),
        (["worker"], "AMQP_URL is not set"),
        (["topology", "apply"], "AMQP_URL is not set"),
    ],
)
def test_wrong_input_ends_with_one_sentence_and_status_2(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("AMQP_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    assert status_of(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("url", ["bar", "redis://host:port/0", "redis://host/0?socket_timeout=soon"])
@pytest.mark.parametrize("command", ["limits", "usage", "audit", "tenant list"])
def test_a_url_of_no_store_ends_a_command_with_one_sentence_and_status_2(
    command: str, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert status_of(command.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("fleet: REDIS_URL is wrong: ")
    assert said.count("\n") == 1


def test_an_amqp_url_that_is_none_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AMQP_URL", "localhost")
    assert status_of(["up"]) == 1
    assert "AMQP_URL is wrong" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["topology", "apply"], ["tail"], ["ask", "Hi"]])
def test_an_amqp_url_that_is_none_is_wrong_input_of_every_command_that_connects(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AMQP_URL", "localhost:5672")
    assert status_of(command) == 2
    assert capsys.readouterr().err.startswith("fleet: AMQP_URL is wrong: set it as in ")


def test_topology_show_prints_a_definitions_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["topology", "show"]) == 0
    assert json.loads(capsys.readouterr().out) == definitions()


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["--version"]) == 0
    assert capsys.readouterr().out == f"fleet {version('deepseek-fleet-cli')}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["--help"]) == 0
    shown = capsys.readouterr().out
    commands = ("up", "ask", "tail", "doctor", "worker", "simulator", "topology", "help")
    assert all(command in shown for command in commands)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def completed(words: str) -> str:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", words)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        with pytest.raises(SystemExit):
            status_of([])
        return capsys.readouterr().out

    monkeypatch.setenv("_FLEET_COMPLETE", f"complete_{shell}")
    assert re.search(r"\bdoctor\b", completed("fleet do"))
    assert "--max-tokens" in completed("fleet ask --max")
    assert "batch" in completed("fleet ask --lane b")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_that_installs_completion_is_for_the_shell_in_use(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    with pytest.raises(SystemExit) as ended:
        status_of(["--show-completion"])
    assert ended.value.code == 0
    assert f"complete_{shell}" in capsys.readouterr().out
