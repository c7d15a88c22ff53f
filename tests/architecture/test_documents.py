"""What the documents say is so: their links lead somewhere, and what they name exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from fleet_chassis.settings import variable_name
from fleet_cli.main import app
from fleet_cli.rights import passwords
from fleet_worker.settings import WorkerSettings
from harness import rabbitmq, store

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    {ROOT / "README.md", ROOT / "services/README.md"}.union(
        ROOT.glob("contracts/*.md"), ROOT.glob("services/*/*.md"), ROOT.glob("deploy/*.md")
    )
)
README = ROOT / "README.md"
WORKER = ROOT / "services/worker/src/fleet_worker"
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```\w*\n(.*?)^```|`([^`\n]+)`", re.DOTALL | re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
SETTINGS = {variable_name(WorkerSettings, field) for field in WorkerSettings.model_fields}
OF_THE_TESTS = {
    "FLEET_TEST_TALKS",
    "FLEET_TEST_TLS",
    "FLEET_TEST_UPGRADE_FROM",
    rabbitmq.CHOICE,
    store.CHOICE,
}
OF_THE_COMMANDS = {passwords.VARIABLE, "FLEET_OPERATOR"}

documents = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def code_in(path: Path) -> str:
    return "\n".join(block or span for block, span in CODE.findall(path.read_text()))


def anchors_of(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def names_of_all_tests() -> set[str]:
    # To parse all tests would take a second.
    texts = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^(?:async )?def (\w+)", text, re.MULTILINE)}


@documents
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(path: Path):
    for link in LINK.findall(path.read_text()):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@documents
def test_every_command_that_is_named_exists(path: Path):
    code = code_in(path)
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(getattr(get_command(app), "commands", {}))
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) <= targets
    assert set(re.findall(r"(?:^|[\s/])fleet ([a-z][a-z-]*)", code, re.MULTILINE)) <= commands


@documents
def test_every_setting_that_is_named_is_read_by_a_worker_a_command_or_the_tests(path: Path):
    named = set(re.findall(r"\b(?:FLEET|DEEPSEEK)_[A-Z_]+\b", path.read_text()))
    assert named <= SETTINGS | OF_THE_TESTS | OF_THE_COMMANDS


@documents
def test_every_python_example_is_python(path: Path):
    for example in PYTHON.findall(path.read_text()):
        compile(example, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@documents
def test_every_test_that_is_named_exists(path: Path):
    assert set(re.findall(r"`(test_\w+)`", path.read_text())) <= names_of_all_tests()


def test_the_simulator_shows_each_of_the_fifteen_behaviours_by_a_test():
    page = (ROOT / "services/simulator/README.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .* \| ([^|]*) \|$", page, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 16))
    assert all(re.match(r"`test_\w+`", tests) for _, tests in rows)


def test_every_behaviour_that_the_readme_promises_names_a_test_that_exists():
    table = README.read_text().partition("## How it behaves when things fail")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert rows
    assert all(len(names) == 1 for names in named)
    assert {name for names in named for name in names} <= names_of_all_tests()


def test_every_threat_has_its_control_and_a_test_of_it():
    table = (ROOT / "deploy/SECURITY.md").read_text().partition("## Threats")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    assert rows
    for threat, control, tests in rows:
        assert control.strip(), threat
        named = re.findall(r"`(test_\w+)`", tests)
        assert named, threat
        assert set(named) <= names_of_all_tests(), threat


def test_the_readme_is_read_in_a_few_minutes():
    # Nobody reads the table of failures from end to end: it is looked up.
    lines = README.read_text().splitlines()
    looked_up = [line for line in lines if "`test_" in line]
    assert len(lines) - len(looked_up) <= 150


def test_the_map_of_the_worker_leaves_no_file_out():
    code = code_in(ROOT / "services/README.md")
    parts = [path for path in WORKER.iterdir() if not path.name.startswith(("_", "py.typed"))]
    for part in parts:
        assert (f"{part.name}/" if part.is_dir() else part.name) in code


def test_the_picture_has_no_script_and_reads_in_the_dark():
    picture = (ROOT / "deploy/flow.svg").read_text()
    assert "<script" not in picture
    assert "prefers-color-scheme: dark" in picture
    assert "<title" in picture
