"""The commands as a newcomer runs them, each a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fleet_cli.stack.child import Child

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
FLEET = (sys.executable, "-m", "fleet_cli")
OURS = ("AMQP_URL", "DEEPSEEK_BASE_URL", "DEEPSEEK_API_KEY", "REDIS_URL")


def environ() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}  # noqa: TID251  # a child process needs the PATH and HOME of this one
    return {**inherited, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "100"}


async def ran(*command: str, cwd: Path, **variables: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**environ(), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def a_stack(folder: Path) -> AsyncGenerator[dict[str, str]]:
    """`fleet up` in `folder`; yields what its stack.env says."""
    command = (
        sys.executable,
        "-c",
        f"import os; os.chdir({str(folder)!r}); import fleet_cli.main as m; m.main()",
    )
    up = await Child.start("up", (*command, "up"), environ=environ(), log=folder / "up.log")
    try:
        await up.wait_for_line("the stack is up", deadline_s=90)
        lines = (folder / ".fleet/stack.env").read_text().splitlines()
        yield dict(line.split("=", 1) for line in lines)
    finally:
        up.signal(signal.SIGINT)
        await up.stop(grace_s=30)


async def test_a_stack_answers_a_plain_amqp_client_and_the_command_line(tmp_path: Path):
    async with a_stack(tmp_path) as addresses:
        assert addresses["REDIS_URL"].startswith("redis://")
        plain = await ran(
            sys.executable,
            str(ROOT / "contracts/examples/ask_with_pika.py"),
            cwd=tmp_path,
            AMQP_URL=addresses["AMQP_URL"],
        )
        asked = await ran(*FLEET, "ask", "What is rain?", cwd=tmp_path)
        as_json = await ran(*FLEET, "ask", "--no-thinking", "--json", "What is rain?", cwd=tmp_path)
        examined = await ran(*FLEET, "doctor", cwd=tmp_path)
        refused = await ran(*FLEET, "ask", "--model", "deepseek-chat", "x", cwd=tmp_path)
    assert plain[0] == 0, plain
    assert "sky" in plain[1]
    status, out, err = asked
    assert status == 0, asked
    assert "rain" in out
    assert "tokens" in err
    assert "tokens" not in out
    answer = json.loads(as_json[1])
    assert answer["reasoning"] == ""
    assert answer["usage"]["total_tokens"] > 0
    assert examined[0] == 0, examined
    assert "✗" not in examined[1]
    assert refused[0] == 1
    assert "deepseek-flash" in refused[2]
    assert len(refused[2].strip().splitlines()) == 1
    assert not (tmp_path / ".fleet/stack.env").exists()


async def test_asking_where_nothing_runs_says_how_to_start_something(tmp_path: Path):
    status, out, err = await ran(*FLEET, "ask", "Hello", cwd=tmp_path)
    assert (status, out) == (2, "")
    assert "make up" in err
    assert len(err.splitlines()) == 1


async def test_the_demonstration_shows_a_killed_workers_answer_arriving(tmp_path: Path):
    status, out, err = await ran(*FLEET, "demo", cwd=tmp_path)
    assert status == 0, (out, err)
    assert "RabbitMQ" in out
    assert "kill -9" in out
    assert (
        out.index("kill -9") < out.index("restarted (worker_lost): attempt 2") < out.index("What to do next")
    )
    assert err == ""
