"""Reads the hand-written examples: whole messages, one a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Example = Mapping[str, Any]
Examples = Mapping[str, Mapping[str, Example]]


def read_examples(folder: Path) -> Examples:
    """The examples below `folder`, by message and by case: `<message>.v1/<case>.json`.

    Raises:
        FileNotFoundError: there are none, so that nobody prints a contract without examples by mistake.
    """
    messages = sorted(path for path in folder.glob("*.v[0-9]*") if path.is_dir())
    if not messages:
        raise FileNotFoundError(f"{folder} holds no examples; run this beside the folder contracts/")
    return {path.name: _cases(path) for path in messages}


def _cases(folder: Path) -> dict[str, Example]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
