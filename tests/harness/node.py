"""Node.js programs of the contract, with their packages from the user's cache folder."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet_cli.stack.places import cache_dir
from harness.programs import Ended, ran

CONTRACTS = Path(__file__).parents[2] / "contracts"
PROGRAMS = Path("examples/node")
INSTALL_S, RUN_S = 120, 60
# What npm says where packages cannot be had, and not where the lock file is wrong.
_NO_REGISTRY = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNRE|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED")


@dataclass(frozen=True, slots=True)
class Node:
    """The folder `contracts/` alone, in a place of its own, ready to run."""

    contracts: Path
    environ: Mapping[str, str]

    async def run(
        self, program: str, *arguments: str, amqp_url: str, once_it_speaks: Callable[[], object] | None = None
    ) -> Ended:
        """Run one of the programs to its end."""
        return await ran(
            "node",
            program,
            *arguments,
            cwd=self.contracts / PROGRAMS,
            environ={**self.environ, "AMQP_URL": amqp_url},
            deadline_s=RUN_S,
            once_it_speaks=once_it_speaks,
        )


async def node_programs(folder: Path, environ: Mapping[str, str]) -> Node:
    """Copy the contract into `folder` and give its programs their packages; skip where there are none."""
    contracts = folder / "contracts"
    shutil.copytree(CONTRACTS, contracts, ignore=shutil.ignore_patterns("src", "node_modules"))
    packages = await node_packages(contracts / PROGRAMS, environ)
    (contracts / PROGRAMS / "node_modules").symlink_to(packages, target_is_directory=True)
    return Node(contracts, environ)


async def node_packages(project: Path, environ: Mapping[str, str]) -> Path:
    """The installed packages of a project's lock file, from the cache or put there now.

    Skips where there is no Node.js, or nowhere to get them from.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool, path=environ.get("PATH")) is None:
            pytest.skip(f"{tool} is not on the PATH: install Node.js 20 or newer")
    lock = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()[:16]
    home = cache_dir(environ) / f"node-{lock}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        # Installed aside and moved into place, so that a run that is killed leaves nothing half done.
        with tempfile.TemporaryDirectory(dir=home.parent, prefix="node-new.") as aside:
            draft = Path(aside) / "project"
            draft.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(project / name, draft)
            await _install(draft, environ)
            _move(draft, home)
    return home / "node_modules"


async def _install(draft: Path, environ: Mapping[str, str]) -> None:
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline")
    ended = await ran("npm", "ci", *quiet, cwd=draft, environ=environ, deadline_s=INSTALL_S)
    if ended.status and _NO_REGISTRY.search(ended.complaint):
        pytest.skip("npm reaches no registry, and the packages are not cached: connect and run again")
    assert ended.status == 0, ended.complaint


def _move(draft: Path, home: Path) -> None:
    try:
        draft.rename(home)
    except OSError:
        if not home.exists():  # else another run was faster, with the same packages
            raise
