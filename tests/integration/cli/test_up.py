import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import pytest

from fleet_chassis.store import StoreUnavailableError
from fleet_cli.stack.store.asking import ask
from fleet_contracts.topology import REQUESTS
from harness.waiting import until

UP_DEADLINE_S = 60.0


@asynccontextmanager
async def up(
    folder: Path, environ: Mapping[str, str], *options: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_cli", "up", *options),
        cwd=folder,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines_until(process: asyncio.subprocess.Process, last: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(UP_DEADLINE_S):
        while not lines or not lines[-1].startswith(last):
            line = await process.stdout.readline()
            assert line, lines
            lines.append(line.decode())
    return lines


def addresses(folder: Path) -> dict[str, str]:
    lines = (folder / ".fleet/stack.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.usefixtures("broker")  # it fills the cache
async def test_a_stack_tells_where_it_is_and_is_gone_after_ctrl_c(
    tmp_path: Path, private_environ: Mapping[str, str]
) -> None:
    async with up(tmp_path, private_environ) as process:
        await lines_until(process, "the stack is up")
        assert stat.S_IMODE((tmp_path / ".fleet/stack.env").stat().st_mode) == 0o600
        found = addresses(tmp_path)
        assert found["METRICS_URL"].endswith("/metrics")
        async with await aio_pika.connect(found["AMQP_URL"]) as connection:
            await (await connection.channel()).get_queue(REQUESTS)
        assert await ask(found["REDIS_URL"], "PING")
        process.send_signal(signal.SIGINT)
        _, complaint = await asyncio.wait_for(process.communicate(), UP_DEADLINE_S)
    assert (process.returncode, complaint) == (130, b"")
    assert not (tmp_path / ".fleet/stack.env").exists()
    with pytest.raises(OSError, match="Connect call failed"):
        await aio_pika.connect(found["AMQP_URL"])
    with pytest.raises(StoreUnavailableError):
        await ask(found["REDIS_URL"], "PING")


@pytest.mark.usefixtures("broker")
async def test_a_named_upstream_starts_no_simulator_and_no_workers_means_none(
    tmp_path: Path, private_environ: Mapping[str, str]
) -> None:
    environ = {**private_environ, "DEEPSEEK_BASE_URL": "http://127.0.0.1:1"}
    async with up(tmp_path, environ, "--workers", "0") as process:
        lines = await lines_until(process, "the stack is up")
        assert any("http://127.0.0.1:1, given by DEEPSEEK_BASE_URL" in line for line in lines)
        assert addresses(tmp_path)["DEEPSEEK_BASE_URL"] == "http://127.0.0.1:1"
        assert addresses(tmp_path)["METRICS_URL"] == "''"
        assert not (tmp_path / ".fleet/logs").exists()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), UP_DEADLINE_S)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.usefixtures("broker")
async def test_a_worker_that_dies_is_reported_and_the_rest_stays_up(
    tmp_path: Path, private_environ: Mapping[str, str]
) -> None:
    async with up(tmp_path, private_environ) as process:
        await lines_until(process, "the stack is up")
        os.kill(_worker_of(process.pid), signal.SIGKILL)
        assert "worker-1 ended with status -9" in (await lines_until(process, "worker-1 ended"))[-1]
        assert "fleet worker --settings .fleet/stack.env" in (await lines_until(process, "no worker is"))[-1]
        assert process.returncode is None
        process.send_signal(signal.SIGINT)
        await until(lambda: not (tmp_path / ".fleet/stack.env").exists(), deadline_s=UP_DEADLINE_S)


@pytest.mark.usefixtures("broker")
async def test_a_stack_whose_simulator_dies_ends_and_says_so(
    tmp_path: Path, private_environ: Mapping[str, str]
) -> None:
    async with up(tmp_path, private_environ, "--workers", "0") as process:
        await lines_until(process, "the stack is up")
        os.kill(_children_of(process.pid, "simulator")[0], signal.SIGKILL)
        _, complaint = await asyncio.wait_for(process.communicate(), UP_DEADLINE_S)
    assert process.returncode == 1
    assert "simulator ended with status -9; its log: .fleet/logs/simulator.log" in complaint.decode()
    assert "start the stack again with `fleet up`" in complaint.decode()
    assert complaint.count(b"\n") == 1
    assert not (tmp_path / ".fleet/stack.env").exists()


async def test_without_a_store_one_worker_serves_and_it_is_said(
    tmp_path: Path, private_environ: Mapping[str, str], vhost: str
) -> None:
    environ = {**private_environ, **without_a_store(tmp_path), "AMQP_URL": vhost}
    async with up(tmp_path, environ, "--workers", "2") as process:
        lines = await lines_until(process, "the stack is up")
        assert any(line.startswith("No store can be had here: set REDIS_URL") for line in lines)
        assert any(line.startswith("one worker instead of 2") for line in lines)
        assert sum("metrics at" in line for line in lines) == 1
        assert addresses(tmp_path)["REDIS_URL"] == "''"
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), UP_DEADLINE_S)


@pytest.mark.usefixtures("broker")
async def test_two_workers_are_given_the_same_store(
    tmp_path: Path, private_environ: Mapping[str, str]
) -> None:
    async with up(tmp_path, private_environ, "--workers", "2") as process:
        await lines_until(process, "the stack is up")
        url = addresses(tmp_path)["REDIS_URL"]
        workers = _workers_of(process.pid)
        assert len(workers) == 2
        assert [_told(worker, "REDIS_URL") for worker in workers] == [url, url]
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), UP_DEADLINE_S)


def without_a_store(folder: Path) -> dict[str, str]:
    """No engine, no apt-get, and an installed server that is older than any that will do."""
    (folder / "bin").mkdir()
    old = folder / "bin/valkey-server"
    old.write_text("#!/bin/sh\necho 'Valkey server v=6.9.9 sha=00000000:0'\n")
    old.chmod(0o755)
    return {"PATH": str(folder / "bin"), "DOCKER_HOST": f"unix://{folder}/no-engine"}


def _worker_of(parent: int) -> int:
    return _workers_of(parent)[0]


def _workers_of(parent: int) -> list[int]:
    return _children_of(parent, "worker")


def _children_of(parent: int, name: str) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in children}
    return [pid for pid, command in commands.items() if name in command]


def _told(pid: int, name: str) -> str:
    settings = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return next(each.removeprefix(f"{name}=") for each in settings if each.startswith(f"{name}="))
