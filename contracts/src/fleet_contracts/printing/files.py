"""The printed files as they have to be, and the ways in which a folder may differ from them."""

import json
from pathlib import Path
from typing import Any

from fleet_contracts.definitions import definitions, user_definitions
from fleet_contracts.printing.asyncapi import asyncapi
from fleet_contracts.printing.examples import read_examples
from fleet_contracts.printing.schemas import schemas
from fleet_contracts.printing.tables import errors

SCHEMAS = "schemas"
EXAMPLES = "examples"
EXAMPLE_TENANT = "acme"


def printed(folder: Path) -> dict[Path, str]:
    """Every printed file of the contract in `folder`, with its text.

    Raises:
        FileNotFoundError: `folder` holds no examples.
    """
    examples = read_examples(folder / EXAMPLES)
    return {
        **{folder / SCHEMAS / f"{name}.json": _json(schema) for name, schema in schemas().items()},
        folder / "asyncapi.json": _json(asyncapi(examples)),
        folder / "definitions.json": _json(definitions()),
        folder / "users.json": _json(user_definitions([EXAMPLE_TENANT])),
        folder / "ERRORS.md": errors(),
    }


def write(folder: Path) -> None:
    """Write every printed file, and remove schemas that nothing prints any more."""
    wanted = printed(folder)
    for path in _orphans(folder, wanted):
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def stale(folder: Path) -> list[Path]:
    """The files that are missing, differ from what is printed, or are printed no more."""
    wanted = printed(folder)
    differing = [path for path, text in wanted.items() if _text(path) != text]
    return sorted([*differing, *_orphans(folder, wanted)])


def _orphans(folder: Path, wanted: dict[Path, str]) -> list[Path]:
    return [path for path in (folder / SCHEMAS).glob("*") if path not in wanted]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
