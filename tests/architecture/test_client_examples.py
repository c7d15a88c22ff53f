"""The client's examples stay what they are: short programs that stand on the client and one library."""

import ast
import sys
from pathlib import Path

import pytest

from harness.examples import EXAMPLES

MOST_LINES = 150
PROGRAMS = sorted(path for path in EXAMPLES.rglob("*") if path.suffix in {".py", ".sh", ".java"})
PYTHON = [path for path in PROGRAMS if path.suffix == ".py"]
FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "__pycache__")
# pydantic is how the client is told of an object's shape; it comes with it.
CLIENT = {"fleet_client", "pydantic"}
LIBRARY = {"flask_app.py": "flask", "django_app.py": "django", "data_analysis": "duckdb"}


def short(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


@pytest.mark.parametrize("path", PROGRAMS, ids=short)
def test_an_example_is_read_in_a_few_minutes(path: Path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", PYTHON, ids=short)
def test_an_example_imports_the_client_and_the_library_of_its_domain_alone(path: Path):
    own = {each.stem for each in path.parent.glob("*.py")}
    library = LIBRARY.get(path.relative_to(EXAMPLES).parts[0])
    allowed = CLIENT | own | {library} | set(sys.stdlib_module_names)
    assert _imported(path) <= allowed


@pytest.mark.parametrize("folder", FOLDERS, ids=short)
def test_an_example_says_how_it_is_run_and_handles_the_errors_of_the_client(folder: Path):
    readme = (folder / "README.md").read_text()
    assert "make up" in readme
    assert all(path.name in readme for path in PROGRAMS if path.parent == folder)
    programs = [path.read_text() for path in PYTHON if path.parent == folder]
    asking = [text for text in programs if "Fleet(" in text]
    assert all("except FleetError" in text for text in asking)
    assert f"{folder.name}/" in (EXAMPLES.parent / "README.md").read_text()


def _imported(path: Path) -> set[str]:
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names
