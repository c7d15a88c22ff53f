"""The kinds of KEDA, the Prometheus operator, external-secrets and Cilium, checked by Node.js."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.node import node_packages
from harness.programs import ran

PROGRAM = Path(__file__).parent / "operators"


async def mistakes_in(manifests: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> list[str]:
    """What is wrong with manifests of these kinds, a sentence each; skips where there is no Node.js."""
    packages = await node_packages(PROGRAM, environ)
    with tempfile.TemporaryDirectory() as folder:
        _lay_out(Path(folder), packages)
        ended = await ran(
            "node", "check.mjs", environ=environ, told=json.dumps(manifests).encode(), cwd=Path(folder)
        )
    return [*ended.out.splitlines(), *ended.complaint.splitlines()]


def _lay_out(folder: Path, packages: Path) -> None:
    (folder / "node_modules").symlink_to(packages, target_is_directory=True)
    shutil.copy(PROGRAM / "check.mjs", folder)
