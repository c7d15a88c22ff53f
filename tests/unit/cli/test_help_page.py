import re
from pathlib import Path

import pytest
from typer.main import get_command

from fleet_cli.help_page import WIDTH, help_page
from fleet_cli.main import app, status_of

PRINTED = Path(__file__).parents[3] / "services/cli/HELP.md"


def test_the_printed_help_is_current():
    current = PRINTED.read_text() == help_page(app)
    assert current, "run `fleet help > services/cli/HELP.md` and commit what it writes"


def test_every_command_has_a_section():
    sections = set(re.findall(r"^## fleet (\S+)$", help_page(app), re.MULTILINE))
    assert sections == set(getattr(get_command(app), "commands", {}))


def test_the_page_is_the_same_on_every_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    page = help_page(app)
    monkeypatch.setenv("COLUMNS", "200")
    assert help_page(app) == page
    assert "\x1b" not in page
    assert max(len(line) for line in page.partition("```text")[2].splitlines()) <= WIDTH


def test_the_command_prints_the_page(capsys: pytest.CaptureFixture[str]):
    assert status_of(["help"]) == 0
    assert capsys.readouterr().out == help_page(app)
