"""The ways to get a broker, in the order in which they are tried."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.rabbitmq.container import container_broker
from fleet_cli.stack.rabbitmq.given import given_broker
from fleet_cli.stack.rabbitmq.private import installed_broker, unpacked_broker
from fleet_cli.stack.report import Report
from fleet_cli.stack.sources import Source, first_available

NO_BROKER = (
    "No RabbitMQ can be had here: set AMQP_URL, start Docker, or install rabbitmq-server"
    " (macOS: brew install rabbitmq; Windows: use WSL2 or docker compose). Tried: {tried}."
)


def sources(
    report: Report, environ: Mapping[str, str], cache_dir: Path, definitions: Path | None
) -> list[Source[Broker]]:
    """The ways that this machine and its environment leave; a given URL leaves no other."""
    if url := environ.get("AMQP_URL"):
        return [Source("given by AMQP_URL", lambda: given_broker(url))]
    return [
        Source("in a container", lambda: container_broker(report, environ, definitions)),
        Source("installed on this machine", lambda: installed_broker(environ, cache_dir, definitions)),
        Source(
            "unpacked from the distribution's packages",
            lambda: unpacked_broker(report, environ, cache_dir, definitions),
        ),
    ]


@asynccontextmanager
async def local_broker(
    report: Report, *, environ: Mapping[str, str], cache_dir: Path, definitions: Path | None = None
) -> AsyncGenerator[Broker]:
    """A broker for this run, found or started, and ended with the run if it is ours.

    `definitions` (a file in RabbitMQ's format) is loaded by a broker of ours before it serves anybody. Raises
    StackError with one sentence that says what to do when no broker can be had.
    """
    async with first_available(
        sources(report, environ, cache_dir, definitions), report, nothing=NO_BROKER
    ) as broker:
        yield broker
