"""Every private name of a library that the fleet uses is known here, with the test that watches over it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("contracts/src/**/*.py")])
OF_PYTHON = {"_replace", "_asdict", "_fields"}
"""Of named tuples: they are public, and begin so only to leave the other names to the fields."""
OWN = re.compile(
    r"^ *(?:async )?def (_\w+)|^class (_\w+)|^ *(_[a-z]\w*) ?[:=]|self\.(_\w+)(?: ?:| =)", re.MULTILINE
)
USED = re.compile(r"[\w)\]]\.(_[a-z]\w*)|attr\([^\n]+?\"(_[a-z]\w*)\"|[(,] ?(_[a-z]\w*)=")
KNOWN = {
    ("_queue_obj", "subscribing.py"): "test_a_subscriber_has_its_queue_and_its_tag_where_they_are_looked_for",
    (
        "_consumer_tag",
        "subscribing.py",
    ): "test_a_subscriber_has_its_queue_and_its_tag_where_they_are_looked_for",
    ("_env_file", "settings.py"): "test_a_file_and_a_folder_are_named_when_settings_are_read",
}
"""Where each is used, and the test in this folder that fails when a library changes it."""


def found(pattern: re.Pattern[str], text: str) -> set[str]:
    return {name for match in pattern.finditer(text) for name in match.groups() if name}


def test_the_private_names_of_libraries_are_these_and_no_others():
    texts = {path: path.read_text() for path in SOURCES}
    ours = OF_PYTHON.union(*(found(OWN, text) for text in texts.values()))
    theirs = {(name, path.name) for path, text in texts.items() for name in found(USED, text) - ours}
    assert theirs == set(KNOWN), "use what the library promises, or add a row to KNOWN and its test"


def test_each_private_name_has_its_test():
    tests = [path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    written = "".join(path.read_text() for path in tests)
    assert [test for test in KNOWN.values() if f"def {test}(" not in written] == []
