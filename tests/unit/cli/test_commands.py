import json

import pytest

from fleet_cli.main import status_of
from fleet_contracts.definitions import definitions


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["up", "--workers", "many"], "Invalid value for '--workers'"),
        (["up", "--workers", "-1"], "Invalid value for '--workers'"),
        (["worker"], "AMQP_URL is not set"),
        (["topology", "apply"], "AMQP_URL is not set"),
    ],
)
def test_wrong_input_ends_with_one_sentence_and_status_2(
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("AMQP_URL", raising=False)
    assert status_of(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_an_amqp_url_that_is_none_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AMQP_URL", "localhost")
    assert status_of(["up"]) == 1
    assert "AMQP_URL is wrong" in capsys.readouterr().err


def test_topology_show_prints_a_definitions_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["topology", "show"]) == 0
    assert json.loads(capsys.readouterr().out) == definitions()


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("up", "worker", "simulator", "topology"))
