"""The arguments of the command: read, or refused in one sentence."""

import pytest

from fleet_simulator.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "many"], "argument --port: 'many' is no whole number from 0 to 65535"),
        (["--port", "99999"], "argument --port: '99999' is no whole number from 0 to 65535"),
        (["--speed", "0"], "argument --speed: it must be more than 0"),
        (["--tokens-per-second", "-1"], "argument --tokens-per-second: '-1' is no number from 0 up"),
        (["--flash-limit", "nan"], "argument --flash-limit: 'nan' is no whole number from 0 up"),
        (["--balance", "much"], "'much' is no amount: write a number as a string, as in '110.00'"),
        (["--currency", "EUR"], "argument --currency: invalid choice: 'EUR'"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_wrong_input_ends_with_one_sentence_and_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"fleet_simulator: {sentence}")
    assert said.err.endswith("; --help lists the options\n")
    assert (said.err.count("\n"), said.out) == (1, "")


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "--tokens-per-second" in capsys.readouterr().out
