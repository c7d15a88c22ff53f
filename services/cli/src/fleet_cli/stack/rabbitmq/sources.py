"""The ways to get a broker, in the order in which they are tried."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.rabbitmq.container import container_broker
from fleet_cli.stack.rabbitmq.given import given_broker
from fleet_cli.stack.rabbitmq.private import installed_broker, unpacked_broker
from fleet_cli.stack.report import Report, Stopwatch

NO_BROKER = (
    "No RabbitMQ can be had here: set AMQP_URL, start Docker, or install rabbitmq-server"
    " (macOS: brew install rabbitmq; Windows: use WSL2 or docker compose). Tried: {tried}."
)


@dataclass(frozen=True)
class Source:
    """One way to get a broker; opening it raises UnavailableError where that way is closed."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Broker]]


def sources(
    report: Report, environ: Mapping[str, str], cache_dir: Path, definitions: Path | None
) -> list[Source]:
    """The ways that this machine and its environment leave; a given URL leaves no other."""
    if url := environ.get("AMQP_URL"):
        return [Source("given by AMQP_URL", lambda: given_broker(url))]
    return [
        Source("in a container", lambda: container_broker(environ, definitions)),
        Source("installed on this machine", lambda: installed_broker(environ, cache_dir, definitions)),
        Source(
            "unpacked from the distribution's packages",
            lambda: unpacked_broker(report, environ, cache_dir, definitions),
        ),
    ]


@asynccontextmanager
async def first_available(ways: Sequence[Source], report: Report) -> AsyncGenerator[Broker]:
    """The broker of the first way that is open; raises StackError with one sentence if none is."""
    async with AsyncExitStack() as stack:
        yield await _open_first(ways, report, stack)


@asynccontextmanager
async def local_broker(
    report: Report, *, environ: Mapping[str, str], cache_dir: Path, definitions: Path | None = None
) -> AsyncGenerator[Broker]:
    """A broker for this run, found or started, and ended with the run if it is ours.

    `definitions` (a file in RabbitMQ's format) is loaded by a broker of ours before it serves anybody. Raises
    StackError with one sentence that says what to do when no broker can be had.
    """
    async with first_available(sources(report, environ, cache_dir, definitions), report) as broker:
        yield broker


async def _open_first(ways: Sequence[Source], report: Report, stack: AsyncExitStack) -> Broker:
    closed: list[str] = []
    for way in ways:
        watch = Stopwatch()
        try:
            broker = await stack.enter_async_context(way.open())
        except UnavailableError as why:
            closed.append(str(why))
        else:
            report(f"RabbitMQ {broker.version}: {way.name}, ready in {watch}")
            return broker
    raise StackError(NO_BROKER.format(tried="; ".join(closed)))
