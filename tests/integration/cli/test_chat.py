"""`fleet chat` as a process of its own, on a real worker."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from fleet_simulator.faults import Fault, Kind, Match
from harness.house import House, a_house

pytestmark = pytest.mark.sockets

PATIENCE_S = 60.0
CHAT = (sys.executable, "-m", "fleet_cli", "chat", "--no-thinking", "--max-tokens", "12")
PIPE = asyncio.subprocess.PIPE


@pytest.fixture
async def house(fleet_vhost: str) -> AsyncIterator[House]:
    async with a_house(fleet_vhost) as house:
        yield house


@pytest.fixture
def environ(private_environ: Mapping[str, str], fleet_vhost: str) -> dict[str, str]:
    return {**private_environ, "AMQP_URL": fleet_vhost}


async def chatted(
    folder: Path, environ: Mapping[str, str], text: str, *options: str
) -> tuple[int | None, str, str]:
    """Exit status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(*CHAT, *options), cwd=folder, env=environ, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(text.encode()), PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.usefixtures("house")
async def test_lines_of_a_pipe_are_turns_and_go_on_later_under_the_same_id(
    tmp_path: Path, environ: dict[str, str]
):
    status, out, err = await chatted(
        tmp_path,
        environ,
        "What is rain?\n\nWhat is snow?\n/cost\n",
        "--id",
        "weather",
        "--system",
        "Be brief.",
    )
    assert status == 0
    assert len(out.splitlines()) == 2
    assert "2 turns" in err
    assert "USD" in err
    assert "\x1b" not in out + err
    status, out, err = await chatted(tmp_path, environ, "/history\n/clear\n/history", "--id", "weather")
    assert (status, out) == (0, "")
    assert "5 messages kept" in err
    assert "user: What is rain?" in err
    assert "cleared; version 3" in err


async def test_a_failure_in_a_pipe_is_status_1_and_one_sentence(
    house: House, tmp_path: Path, environ: dict[str, str]
):
    house.simulator.inject(Fault(Kind.STATUS, Match(prompt="break"), status=422))
    status, out, err = await chatted(tmp_path, environ, "break\nWhat is rain?\n")
    assert (status, out) == (1, "")
    assert "upstream_rejected" in err
    status, _, err = await chatted(tmp_path, environ, "/fly\n")
    assert status == 2
    assert "there is no /fly" in err


async def test_a_terminal_is_asked_again_after_a_failure_and_sees_the_answer_come(
    house: House, tmp_path: Path, environ: dict[str, str]
):
    house.simulator.inject(Fault(Kind.STATUS, Match(prompt="break"), status=422))
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *CHAT, cwd=tmp_path, env={**environ, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        await seen(ours, "messages kept")
        os.write(ours, b"break\n")
        await seen(ours, "upstream_rejected")
        os.write(ours, b"What is rain?\n")
        assert "rain" in await seen(ours, "tokens")
        os.write(ours, b"/quit\n")
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        os.close(ours)


async def seen(terminal: int, text: str) -> str:
    """What is shown, up to `text`."""
    shown = ""
    async with asyncio.timeout(PATIENCE_S):
        while text not in shown:
            shown += (await asyncio.to_thread(os.read, terminal, 4096)).decode(errors="replace")
    return shown
