"""Wheels that only a few tests need, unpacked into the user's cache folder and not into the environment."""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet_cli.stack.places import cache_dir
from harness.programs import ran

BOOTSTRAP = Path(__file__).parents[2] / ".ci/bootstrap"
FETCH_S = 300


async def wheel(requirement: str, environ: Mapping[str, str]) -> Path:
    """The folder of an unpacked wheel, as in `name==1.0`; skips where it can't be fetched."""
    place = cache_dir(environ) / f"wheel-{requirement}"
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as draft:
        install = ("pip", "install", "--quiet", "--no-deps", "--python", sys.executable)
        ended = await ran(
            str(BOOTSTRAP),
            *install,
            "--target",
            f"{draft}/new",
            requirement,
            environ=environ,
            deadline_s=FETCH_S,
        )
        if ended.status:
            pytest.skip(f"{requirement} can't be fetched here: {json.dumps(ended.complaint[-300:])}")
        _move(Path(draft, "new"), place)
    return place


def _move(draft: Path, place: Path) -> None:
    if not place.exists():  # else another run was faster
        draft.rename(place)
