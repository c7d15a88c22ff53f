import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import StoreUnavailableError, open_store
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.run_folder import run_folder
from fleet_cli.stack.store import server
from fleet_cli.stack.store.asking import ask
from fleet_cli.stack.store.sources import local_store
from fleet_cli.stack.store.store import Store
from harness.waiting import alive, until

PATIENCE_S = 60.0
PARENT = """
import asyncio, os
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.store.asking import ask
from fleet_cli.stack.store.sources import local_store

async def main():
    environ = dict(os.environ)
    async with local_store(lambda line: None, environ=environ, cache_dir=cache_dir(environ)) as store:
        print((await ask(store.url, "INFO", "server"))["process_id"], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def no_report(_line: str) -> None: ...


@pytest.fixture
async def durable(private_environ: Mapping[str, str]) -> AsyncIterator[Store]:
    where = cache_dir(private_environ)
    async with local_store(no_report, environ=private_environ, cache_dir=where) as store:
        yield store


async def test_a_store_that_appends_keeps_what_it_answered_for_over_a_kill(durable: Store) -> None:
    for number in range(100):
        await ask(durable.url, "SET", f"key:{number}", number)
    await durable.kill()
    with pytest.raises(StoreUnavailableError):
        await ask(durable.url, "PING")
    await durable.restart()
    assert await ask(durable.url, "DBSIZE") == 100


async def test_a_store_that_does_not_append_comes_back_empty(private_environ: Mapping[str, str]) -> None:
    where = cache_dir(private_environ)
    async with local_store(
        no_report, environ=private_environ, cache_dir=where, appendonly=False
    ) as forgetful:
        await ask(forgetful.url, "SET", "key", 1)
        await forgetful.restart()
        assert await ask(forgetful.url, "DBSIZE") == 0


async def test_a_store_can_come_back_with_nothing_in_it(durable: Store) -> None:
    await ask(durable.url, "SET", "key", 1)
    await durable.restart(empty=True)
    assert await ask(durable.url, "DBSIZE") == 0
    await ask(durable.url, "SET", "key", 1)
    await durable.flush()
    assert await ask(durable.url, "DBSIZE") == 0


async def test_a_store_that_stands_still_takes_connections_but_answers_nothing(durable: Store) -> None:
    where = urlsplit(durable.url)
    async with open_store(durable.url, PATIENCE_S, SystemClock()) as store:
        await durable.pause()
        asked = asyncio.create_task(store.command("PING"))
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.close()
        await asyncio.wait({asked}, timeout=0.3)
        assert not asked.done()
        await durable.resume()
        assert await asked


async def test_a_store_that_stands_still_can_be_restarted_and_killed(
    durable: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_GRACE_S", PATIENCE_S)
    started = time.monotonic()
    await durable.pause()
    await durable.restart()
    assert await ask(durable.url, "PING")
    await durable.pause()
    await durable.kill()
    await durable.restart()
    assert await ask(durable.url, "PING")
    assert time.monotonic() - started < PATIENCE_S


async def test_nobody_gets_in_without_the_password(durable: Store) -> None:
    stranger = "redis://" + durable.url.partition("@")[2]
    with pytest.raises(StoreUnavailableError):
        await ask(stranger, "PING")


async def test_two_stores_run_side_by_side(durable: Store, private_environ: Mapping[str, str]) -> None:
    where = cache_dir(private_environ)
    async with local_store(no_report, environ=private_environ, cache_dir=where) as other:
        assert other.url != durable.url
        await ask(durable.url, "SET", "key", 1)
        assert await ask(other.url, "DBSIZE") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_a_store_and_its_folder_do_not_outlive_a_killed_parent(
    private_environ: Mapping[str, str], tmp_path: Path
) -> None:
    # A process of ours is meant here. What becomes of a container is told in test_container_broker.py.
    environ = {**private_environ, "DOCKER_HOST": f"unix://{tmp_path}/no-engine"}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, env=environ
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), timeout=60))
    folders = cache_dir(private_environ) / "runs"
    left = _run_folder_of(pid)
    assert left.parent == folders
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await until(lambda: not alive(pid), deadline_s=PATIENCE_S)
    with run_folder(folders):
        assert not left.exists()


async def test_a_given_store_is_used_as_it_is(durable: Store, tmp_path: Path) -> None:
    async with local_store(no_report, environ={"REDIS_URL": durable.url}, cache_dir=tmp_path) as given:
        assert (given.url, given.label) == (durable.url, durable.label)


async def test_a_given_store_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    environ = {"REDIS_URL": "redis://user:secret@127.0.0.1:1/0"}
    with pytest.raises(StackError, match=r"no store answers at 127\.0\.0\.1:1,.*unset REDIS_URL") as said:
        async with local_store(no_report, environ=environ, cache_dir=tmp_path):
            pass
    assert "secret" not in str(said.value)


def _run_folder_of(pid: int) -> Path:
    # A store works in its data folder, which is two below the run's.
    return Path(f"/proc/{pid}/cwd").readlink().parent.parent
