"""A broker in a container, where a Docker engine answers."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping

import aio_pika
import pytest
import pytest_asyncio

from fleet_cli.stack.command import run
from fleet_cli.stack.containers.container import Recipe, a_container
from fleet_cli.stack.containers.engine import answering_engine
from fleet_cli.stack.containers.removal import a_remover
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.rabbitmq.broker import handshake
from fleet_cli.stack.rabbitmq.container import IMAGE, container_broker

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

PATIENCE_S = 60.0
# A run of the stack, as far as its container goes: it says the broker's URL and stays.
HOLDER = """
import asyncio, os
from fleet_cli.stack.rabbitmq.container import container_broker
async def hold():
    async with container_broker(print, dict(os.environ), None) as broker:
        print(broker.url, flush=True)
        await asyncio.Event().wait()
asyncio.run(hold())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(private_environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of a `docker` command that speaks to the engine of the local stack."""
    host = await answering_engine(private_environ)
    if host is None or shutil.which("docker", path=private_environ.get("PATH")) is None:
        pytest.skip("no Docker engine answers, or there is no docker command to look at it with")
    environ = {**private_environ, "DOCKER_HOST": host}
    try:
        async with container_broker(print, environ, None):
            return environ
    except UnavailableError as why:
        pytest.skip(str(why))


async def containers_of(owner: int | str, environ: Mapping[str, str]) -> list[str]:
    """The addresses that the containers of a process are published at, one line each."""
    listing = ("docker", "ps", "--all", "--filter", f"name=deepseek-fleet-{owner}-", "--format", "{{.Ports}}")
    return (await run(listing, environ=environ, deadline_s=PATIENCE_S)).splitlines()


async def gone(owner: int | str, environ: Mapping[str, str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await containers_of(owner, environ):  # noqa: ASYNC110 - an engine can only be asked
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda end: end.name)
async def test_a_container_goes_with_its_process_however_that_ends(
    engine: Mapping[str, str], end: signal.Signals
):
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER), env=engine, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        url = (await holder.stdout.readline()).decode().strip()
    await handshake(url)
    (published,) = await containers_of(holder.pid, engine)
    assert f"127.0.0.1:{url.rpartition(':')[2].strip('/')}->5672/tcp" in published
    assert "0.0.0.0" not in published  # noqa: S104 - the address that nothing may be published at
    holder.send_signal(end)
    await holder.wait()
    await gone(holder.pid, engine)


async def test_what_a_container_had_on_disk_is_there_after_a_kill(engine: Mapping[str, str]):
    async with container_broker(print, engine, None) as broker:
        async with await aio_pika.connect(broker.url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
            await channel.default_exchange.publish(aio_pika.Message(b"confirmed"), "kept")
            await broker.settle()
            await broker.kill()
        await broker.restart()
        async with await aio_pika.connect(broker.url) as connection:
            queue = await (await connection.channel()).get_queue("kept")
            message = await queue.get(timeout=PATIENCE_S)
            await message.ack()
    assert message.body == b"confirmed"


async def test_a_node_in_a_container_evaluates_or_says_why_not(engine: Mapping[str, str]):
    async with container_broker(print, engine, None) as broker:
        assert await broker.evaluate("1 < 2.") == "true"
        with pytest.raises(StackError, match="could not evaluate a = b"):
            await broker.evaluate("a = b.")
        with pytest.raises(StackError, match="rabbitmqctl failed with status"):
            await broker.ctl("no_such_command")


async def test_a_container_that_comes_into_being_after_the_kill_is_removed_too(engine: Mapping[str, str]):
    owner = f"test{os.getpid()}"
    name = f"deepseek-fleet-{owner}-late"

    async def ask_for_one() -> None:
        await asyncio.sleep(0.5)  # no wait: it is what makes the container late
        await run(("docker", "create", "--name", name, IMAGE), environ=engine, deadline_s=PATIENCE_S)

    async with a_remover(name, engine):
        late = asyncio.create_task(ask_for_one())
    await late
    await gone(owner, engine)


async def test_an_image_that_cannot_be_had_closes_this_way_and_says_so(engine: Mapping[str, str]):
    nowhere = Recipe("localhost:1/no-such-image:1", ports={5672: 1})
    with pytest.raises(UnavailableError, match="Docker could not start localhost:1/no-such-image:1"):
        async with a_container(print, engine, nowhere):
            pass
