"""The schemas as the last release had them, read from git."""

import json
import subprocess
from pathlib import Path
from typing import Any

from harness.compatibility import Schema, Side, breaks

SCHEMAS = "contracts/schemas"
READ_BY_THE_FLEET = ("chat.", "fim.", "cancel.", "request.")


def schemas_of_the_last_release(root: Path) -> dict[str, Any]:
    """The schemas by name at the newest tag that HEAD has behind it; none where there is no tag or no git."""
    tag = _git(root, "describe", "--tags", "--abbrev=0").strip()
    paths = _git(root, "ls-tree", "--name-only", tag, f"{SCHEMAS}/").split() if tag else []
    return {Path(path).stem: json.loads(_git(root, "show", f"{tag}:{path}")) for path in paths}


def side_of(name: str) -> Side:
    """Who writes what this schema describes."""
    return Side.REQUEST if name.startswith(READ_BY_THE_FLEET) else Side.REPLY


def breaks_since(old: dict[str, Schema], new: dict[str, Schema]) -> list[str]:
    """What breaks a caller between two releases, a sentence each."""
    gone = [f"{name}: the schema is gone" for name in old if name not in new]
    changed = [
        f"{name}{sentence}"
        for name in old
        if name in new
        for sentence in breaks(old[name], new[name], side_of(name))
    ]
    return gone + changed


def _git(root: Path, *arguments: str) -> str:
    command = ("git", "-C", str(root), *arguments)
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return ""
    return ended.stdout if ended.returncode == 0 else ""
