"""Faults of workers, broker and store."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from alerts.stage import WORD, WORKERS, Stage, quietly
from fleet_cli.stack.errors import StackError
from fleet_contracts import Lane

SLOW_TOKENS = 40
BACKLOG = 1050
EXPIRED = 3
# What a quorum queue is told when a consumer ends, said behind the back of its channel.
FORGET = """
{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"deepseek.requests">>)),
[ra:process_command(amqqueue:get_pid(Q),
                    rabbit_fifo:make_checkout({element(2, C), element(1, C)}, cancel, #{}))
 || C <- rabbit_amqqueue:consumers(Q)].
"""
A_BUG = """
from fleet_cli.main import status_of
from fleet_worker.deepseek.client import DeepSeek
async def complete(*_, **__): raise ZeroDivisionError
DeepSeek.complete = complete
raise SystemExit(status_of(["worker"]))
"""


@asynccontextmanager
async def no_workers(stage: Stage) -> AsyncGenerator[None]:
    """All workers killed while requests come, some of which expire."""
    await stage.fleet.compose("kill", "worker")
    for _ in range(EXPIRED):
        # A quorum queue lets go of what expired when it comes first, and nobody else asks in this lane.
        await stage.asker.ask(WORD, "acme", lane=Lane.BATCH, expires_s=0.1)
    await stage.ask(BACKLOG)
    try:
        async with stage.asking(0.2):
            yield
    finally:
        await workers_back(stage)


@asynccontextmanager
async def backlog_worked_off(stage: Stage) -> AsyncGenerator[None]:
    """Workers that come back to a backlog of more than a minute, and have enough to do."""
    await stage.fleet.compose("kill", "worker")
    await stage.ask(900, max_tokens=SLOW_TOKENS)
    await asyncio.sleep(62)
    await workers_back(stage)
    yield


@asynccontextmanager
async def a_drain_that_lasts(stage: Stage) -> AsyncGenerator[None]:
    """A worker that is asked to end while a stream of it goes on and on."""
    await stage.inject(kind="pace", tokens_per_second=0.5, match={"prompt": "endless"}, times=8)
    await stage.ask(8, max_tokens=60, messages=[{"role": "user", "content": "An endless tale"}])
    await asyncio.sleep(3)
    first = (await stage.fleet.workers())[0]
    await stage.fleet.docker("kill", "--signal", "TERM", first)
    try:
        yield
    finally:
        with suppress(StackError):
            await stage.fleet.docker("kill", first)
        await stage.heal()
        await workers_back(stage)


@asynccontextmanager
async def a_starved_processor(stage: Stage) -> AsyncGenerator[None]:
    """Workers that get the processor every other half second only."""
    async with _again_and_again(lambda: _stood_still(stage, 0.6), pause_s=0.3):
        yield


@asynccontextmanager
async def connections_cut(stage: Stage) -> AsyncGenerator[None]:
    """All connections closed by the broker, every three seconds."""
    cut = ("exec", "--no-TTY", "rabbitmq", "rabbitmqctl", "close_all_connections", "tried")
    async with _again_and_again(lambda: quietly(stage, *cut), pause_s=3):
        yield


@asynccontextmanager
async def consumers_forgotten(stage: Stage) -> AsyncGenerator[None]:
    """The broker's queue forgets its consumers, and tells nobody."""
    await stage.fleet.compose("exec", "--no-TTY", "rabbitmq", "rabbitmqctl", "eval", FORGET)
    yield


@asynccontextmanager
async def the_store_away(stage: Stage) -> AsyncGenerator[None]:
    """The store stopped while streams run."""
    await stage.inject(kind="pace", tokens_per_second=20, match={"prompt": "long"}, times=6)
    await stage.ask(6, max_tokens=100, messages=[{"role": "user", "content": "A long tale"}])
    await asyncio.sleep(2)
    await stage.fleet.compose("stop", "valkey")
    try:
        yield
    finally:
        await stage.fleet.compose("start", "valkey")
        await stage.heal()


@asynccontextmanager
async def a_poison_message(stage: Stage) -> AsyncGenerator[None]:
    """Each worker that takes one of some requests dies over it."""
    await stage.inject(kind="pace", tokens_per_second=1, match={"prompt": "poison"})
    await stage.ask(4, max_tokens=200, messages=[{"role": "user", "content": "poison"}])
    for _ in range(2):
        await asyncio.sleep(5)
        await stage.fleet.compose("kill", "worker")
        await workers_back(stage)
    await asyncio.sleep(5)
    await stage.fleet.compose("kill", "worker")
    # Watched at once: what the next ones find is over within the seconds that they need to be healthy.
    back = asyncio.create_task(workers_back(stage))
    try:
        yield
    finally:
        await back
        await stage.heal()


@asynccontextmanager
async def a_bug(stage: Stage) -> AsyncGenerator[None]:
    """A worker of a build that breaks on every request."""
    broken = f"{stage.fleet.project}-broken"
    command = ("run", "--detach", "--use-aliases", "--no-deps", "--name", broken, "--entrypoint", "python")
    await stage.fleet.compose(*command, "worker", "-c", A_BUG)
    try:
        yield
    finally:
        await stage.fleet.docker("rm", "--force", broken)


async def workers_back(stage: Stage) -> None:
    """As many as in the beginning."""
    await stage.fleet.up("worker", "prometheus", workers=WORKERS)


async def _stood_still(stage: Stage, seconds: float) -> None:
    await quietly(stage, "pause", "worker")
    await asyncio.sleep(seconds)
    await quietly(stage, "unpause", "worker")


@asynccontextmanager
async def _again_and_again(harm: Callable[[], Awaitable[None]], pause_s: float) -> AsyncGenerator[None]:
    async def go_on() -> None:
        while not over.is_set():
            await harm()
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), pause_s)

    over = asyncio.Event()
    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        over.set()
        await task
