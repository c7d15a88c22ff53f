"""The printed copies are what the code prints, and every file of the contract is of use to its reader."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet_contracts.__main__ import main
from fleet_contracts.codes import EXPLANATIONS, ErrorCode
from fleet_contracts.printing.examples import Examples
from fleet_contracts.printing.files import printed, stale


@pytest.fixture
def copy(contracts: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(contracts, tmp_path / "contracts", ignore=shutil.ignore_patterns("src")))


def test_the_printed_copies_are_current(contracts: Path):
    assert stale(contracts) == [], "run `make contracts` and commit what it writes"


def test_a_changed_explanation_makes_the_table_of_errors_stale(
    contracts: Path, monkeypatch: pytest.MonkeyPatch
):
    told = replace(EXPLANATIONS[ErrorCode.OVERLOADED], advice="Ask somebody else.")
    monkeypatch.setitem(EXPLANATIONS, ErrorCode.OVERLOADED, told)
    assert stale(contracts) == [contracts / "ERRORS.md"]


def test_printing_twice_prints_the_same(contracts: Path):
    assert printed(contracts) == printed(contracts)


def test_every_printed_file_ends_with_one_newline_and_names_no_host_of_ours(contracts: Path):
    for path, text in printed(contracts).items():
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert re.findall(r"https?://(?!json-schema\.org|www\.apache\.org)[^/\s\"]+", text) == [], path


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("asyncapi.json", "{}\n"),
        ("schemas/chat.v1.json", None),
        ("schemas/chat.v0.json", "{}\n"),
        ("examples/cancel.v1/of_a_request.json", None),
    ],
    ids=["a file that differs", "a missing file", "a schema that nothing prints", "an example that is gone"],
)
def test_check_ends_with_one_sentence_that_names_the_command(copy: Path, file: str, text: str | None):
    if text is None:
        (copy / file).unlink()
    else:
        (copy / file).write_text(text)
    with pytest.raises(SystemExit, match=r"^Not what the code prints: .*Run `make contracts`"):
        main(["check", "--folder", str(copy)])


def test_write_makes_a_spoiled_folder_current_again(copy: Path):
    (copy / "ERRORS.md").unlink()
    (copy / "schemas/chat.v0.json").write_text("{}\n")
    main(["write", "--folder", str(copy)])
    main(["check", "--folder", str(copy)])


def test_without_examples_nothing_is_printed(tmp_path: Path):
    with pytest.raises(SystemExit, match="holds no examples"):
        main(["write", "--folder", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_the_module_is_a_command_with_an_exit_code(copy: Path):
    (copy / "ERRORS.md").unlink()
    command = [sys.executable, "-m", "fleet_contracts", "check", "--folder", str(copy)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1


def test_the_table_of_errors_lists_every_code_once(contracts: Path):
    rows = re.findall(r"^\| `(\w+)` \|", (contracts / "ERRORS.md").read_text(), re.MULTILINE)
    assert rows == list(ErrorCode)


def test_every_schema_is_referred_to_by_the_asyncapi_document_or_the_readme(
    contracts: Path, schemas: Mapping[str, Any]
):
    told = (contracts / "asyncapi.json").read_text() + (contracts / "README.md").read_text()
    assert [name for name in schemas if f"schemas/{name}.json" not in told] == []


def test_every_example_file_is_a_message_that_has_a_schema(
    contracts: Path, examples: Examples, schemas: Mapping[str, Any]
):
    read = {f"{message}/{case}.json" for message, cases in examples.items() for case in cases}
    files = (contracts / "examples").glob("*.v*/*.json")
    found = {str(path.relative_to(contracts / "examples")) for path in files}
    assert found == read
    assert set(examples) == {name for name in schemas if "properties" not in name} - {"reply.v1"} | {
        "dead_letter.v1"
    }
