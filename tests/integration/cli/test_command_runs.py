import asyncio
import os
import time
from pathlib import Path

import pytest

from fleet_cli.stack.command import run
from fleet_cli.stack.errors import StackError
from harness.waiting import alive, until

pytestmark = pytest.mark.sockets

LONG_S = 60.0


async def test_a_late_command_ends_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    began = time.monotonic()
    leave_one_behind = f"sleep 600 & echo $! > {tmp_path}/wrote; mv {tmp_path}/wrote {tmp_path}/pid; wait"
    late = asyncio.create_task(
        run(("sh", "-c", leave_one_behind), environ=os.environ, deadline_s=LONG_S)  # noqa: TID251 - needs a PATH
    )
    await until((tmp_path / "pid").exists, deadline_s=LONG_S)
    loop = asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + LONG_S)  # its deadline comes when it has got so far
    with pytest.raises(StackError, match="did not end within"):
        await late
    await until(lambda: not alive(int((tmp_path / "pid").read_text())), deadline_s=LONG_S)
    assert time.monotonic() - began < 5 * LONG_S


async def test_the_complaint_of_a_command_that_fails_is_handed_on():
    with pytest.raises(StackError, match="status 3: no such thing"):
        await run(("sh", "-c", "echo no such thing >&2; exit 3"), environ={}, deadline_s=LONG_S)
