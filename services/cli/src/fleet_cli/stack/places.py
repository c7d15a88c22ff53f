"""Where the stack keeps things on disk."""

from collections.abc import Mapping
from pathlib import Path

NAME = "deepseek-fleet"


def cache_dir(environ: Mapping[str, str]) -> Path:
    """The user's cache folder for this project (XDG Base Directory Specification)."""
    parent = environ.get("XDG_CACHE_HOME", "")
    # The specification wants a relative path ignored.
    base = Path(parent) if Path(parent).is_absolute() else Path(environ.get("HOME", "/")) / ".cache"
    return base / NAME
