"""A private store: the installed one, or the one unpacked into the cache, as our child process."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.packages import unpacked_packages
from fleet_cli.stack.report import Report
from fleet_cli.stack.run_folder import run_folder
from fleet_cli.stack.store.installation import Installation, installed, unpacked
from fleet_cli.stack.store.packages import REDIS
from fleet_cli.stack.store.server import running_server
from fleet_cli.stack.store.store import Store


@asynccontextmanager
async def installed_store(
    environ: Mapping[str, str], cache_dir: Path, *, appendonly: bool
) -> AsyncGenerator[Store]:
    """A private server of the installed Valkey or Redis; raises UnavailableError if there is none."""
    async with private_store(installed(environ), cache_dir, appendonly=appendonly) as store:
        yield store


@asynccontextmanager
async def unpacked_store(
    report: Report, environ: Mapping[str, str], cache_dir: Path, *, appendonly: bool
) -> AsyncGenerator[Store]:
    """A private server of the distribution's own package, fetched into the cache if it is not there yet."""
    root = await unpacked_packages(REDIS, report, environ=environ, cache_dir=cache_dir)
    async with private_store(unpacked(root), cache_dir, appendonly=appendonly) as store:
        yield store


@asynccontextmanager
async def private_store(
    installation: Installation, cache_dir: Path, *, appendonly: bool
) -> AsyncGenerator[Store]:
    """A private server of this installation, gone at the end with all that it held."""
    label = await installation.label()
    with run_folder(cache_dir / "runs") as folder:
        async with running_server(installation, folder, appendonly=appendonly) as (server, url):
            yield Store(url, label, server)
