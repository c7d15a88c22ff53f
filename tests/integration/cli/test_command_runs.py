import os
import time
from pathlib import Path

import pytest

from fleet_cli.stack.command import run
from fleet_cli.stack.errors import StackError
from harness.waiting import alive, until

pytestmark = pytest.mark.sockets


async def test_a_late_command_ends_with_what_it_started(tmp_path: Path):
    started = time.monotonic()
    leave_one_behind = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(StackError, match="did not end within"):
        await run(("sh", "-c", leave_one_behind), environ=os.environ, deadline_s=0.5)  # noqa: TID251 - needs a PATH
    assert time.monotonic() - started < 10
    await until(lambda: not alive(int((tmp_path / "pid").read_text())))


async def test_the_complaint_of_a_command_that_fails_is_handed_on():
    with pytest.raises(StackError, match="status 3: no such thing"):
        await run(("sh", "-c", "echo no such thing >&2; exit 3"), environ={}, deadline_s=10)
