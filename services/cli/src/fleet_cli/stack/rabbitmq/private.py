"""A private broker: the installed RabbitMQ, or the one unpacked into the cache, as our child process."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.packages import unpacked_packages
from fleet_cli.stack.ports import LOOPBACK
from fleet_cli.stack.rabbitmq.broker import Broker, handshake
from fleet_cli.stack.rabbitmq.installation import Installation, installed, unpacked
from fleet_cli.stack.rabbitmq.node import running_node
from fleet_cli.stack.rabbitmq.node_settings import USER
from fleet_cli.stack.rabbitmq.packages import RABBITMQ
from fleet_cli.stack.report import Report
from fleet_cli.stack.run_folder import run_folder


@asynccontextmanager
async def installed_broker(
    environ: Mapping[str, str], cache_dir: Path, definitions: Path | None
) -> AsyncGenerator[Broker]:
    """A private node of the installed RabbitMQ; raises UnavailableError if there is none."""
    async with private_broker(installed(environ), environ, cache_dir, definitions) as broker:
        yield broker


@asynccontextmanager
async def unpacked_broker(
    report: Report, environ: Mapping[str, str], cache_dir: Path, definitions: Path | None
) -> AsyncGenerator[Broker]:
    """A private node of the distribution's own packages, fetched into the cache if they are not there yet."""
    root = await unpacked_packages(RABBITMQ, report, environ=environ, cache_dir=cache_dir)
    async with private_broker(unpacked(root), environ, cache_dir, definitions) as broker:
        yield broker


@asynccontextmanager
async def private_broker(
    installation: Installation, environ: Mapping[str, str], cache_dir: Path, definitions: Path | None
) -> AsyncGenerator[Broker]:
    """A private node of this installation, below the cache; it loads `definitions` before it serves."""
    path = environ.get("PATH", "/usr/bin:/bin")
    with run_folder(cache_dir / "runs") as folder:
        async with running_node(installation, folder, path=path, definitions=definitions) as (node, ports):
            url = f"amqp://{USER}:{USER}@{LOOPBACK}:{ports.amqp}/"
            yield Broker(url, await handshake(url), USER, node)
