import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aio_pika
import pytest

from fleet_cli.stack.errors import StackError
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.rabbitmq.sources import local_broker
from fleet_cli.stack.run_folder import run_folder
from fleet_contracts.definitions import definitions
from fleet_contracts.topology import REQUESTS
from harness.broker import SharedBroker
from harness.waiting import alive, until

PARENT = """
import asyncio, os
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.rabbitmq.sources import local_broker

async def main():
    environ = {name: value for name, value in os.environ.items() if name != "AMQP_URL"}
    async with local_broker(lambda line: None, environ=environ, cache_dir=cache_dir(environ)) as broker:
        print(await broker.evaluate("list_to_integer(os:getpid())."), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def no_report(_line: str) -> None: ...


@pytest.mark.usefixtures("broker")  # it fills the cache, so that these two need not wait for one another
async def test_two_brokers_run_side_by_side_and_load_their_definitions(
    tmp_path: Path, private_environ: Mapping[str, str]
) -> None:
    source = tmp_path / "definitions.json"
    source.write_text(json.dumps(definitions()))
    where = cache_dir(private_environ)
    async with AsyncExitStack() as both:
        first, second = await asyncio.gather(
            *(
                both.enter_async_context(
                    local_broker(no_report, environ=private_environ, cache_dir=where, definitions=source)
                )
                for _ in range(2)
            )
        )
        assert first.url != second.url
        for broker in (first, second):
            async with await aio_pika.connect(broker.url) as connection:
                await (await connection.channel()).get_queue(REQUESTS)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.usefixtures("broker")
async def test_a_broker_and_its_folder_do_not_outlive_a_killed_parent(
    private_environ: Mapping[str, str], tmp_path: Path
) -> None:
    # A process of ours is meant here. What becomes of a container is told in test_container_broker.py.
    environ = {**private_environ, "DOCKER_HOST": f"unix://{tmp_path}/no-engine"}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, env=environ
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), timeout=90))
    folders = cache_dir(private_environ) / "runs"
    left = next(folder for folder in folders.glob("run-*") if _belongs_to(pid, folder))
    assert left.exists()
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await until(lambda: not alive(pid), deadline_s=60)
    with run_folder(folders):
        assert not left.exists()


async def test_a_stopped_broker_refuses_connections_until_it_is_started(broker: SharedBroker) -> None:
    await broker.stop_app()
    # An engine takes the connection to a container, finds nobody behind it, and drops it.
    with pytest.raises(OSError, match=r"Connect call failed|Server connection"):
        await aio_pika.connect(broker.url)
    await broker.start_app()
    await (await aio_pika.connect(broker.url)).close()


async def test_a_failing_command_says_what_the_broker_said(broker: SharedBroker) -> None:
    with pytest.raises(StackError, match=r"rabbitmqctl failed .*nonsense"):
        await broker.ctl("nonsense")
    with pytest.raises(StackError, match="could not evaluate nonsense:at_all"):
        await broker.evaluate("nonsense:at_all().")


async def test_a_given_broker_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    environ = {"AMQP_URL": "amqp://user:secret@127.0.0.1:1/"}
    with pytest.raises(StackError, match=r"no broker answers at 127\.0\.0\.1:1,.*unset AMQP_URL") as said:
        async with local_broker(no_report, environ=environ, cache_dir=tmp_path):
            pass
    assert "secret" not in str(said.value)


async def test_a_given_broker_is_used_as_it_is(broker: SharedBroker, tmp_path: Path) -> None:
    environ = {"AMQP_URL": broker.url}
    async with local_broker(no_report, environ=environ, cache_dir=tmp_path) as given:
        assert (given.url, given.version) == (broker.url, broker.version)


def _belongs_to(pid: int, folder: Path) -> bool:
    return str(folder) in Path(f"/proc/{pid}/environ").read_text()
