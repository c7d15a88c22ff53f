import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from fleet_cli.stack.child import Child
from fleet_cli.stack.errors import StackError
from harness.waiting import alive, until

PATIENCE_S = 30.0
PATH = {"PATH": "/usr/bin:/bin"}
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
PARENT = """
import asyncio, sys
from pathlib import Path
from fleet_cli.stack.child import Child

async def main():
    environ = {"PATH": "/usr/bin:/bin"}
    child = await Child.start("sleeper", ("sleep", "60"), environ=environ, log=Path(sys.argv[1]))
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""


async def start(script: str, log: Path) -> Child:
    return await Child.start("test", ("sh", "-c", script), environ=PATH, log=log)


async def test_a_ready_line_tells_that_a_child_is_ready(tmp_path: Path) -> None:
    child = await start("echo starting; echo ready at http://here; sleep 60", tmp_path / "log")
    found = await child.wait_for_line(r"^ready at (\S+)$", deadline_s=PATIENCE_S)
    assert found.group(1) == "http://here"
    assert await child.stop(grace_s=PATIENCE_S) == -signal.SIGTERM
    assert (tmp_path / "log").read_text() == "starting\nready at http://here\n"


async def test_a_child_that_ends_before_it_is_ready_leaves_its_last_words(tmp_path: Path) -> None:
    child = await start("echo cannot open the file >&2; exit 3", tmp_path / "log")
    with pytest.raises(StackError, match=r"ended with status 3 before it was ready.*cannot open the file"):
        await child.wait_for_line("ready", deadline_s=PATIENCE_S)


async def test_a_child_that_is_never_ready_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    child = await start("sleep 60", tmp_path / "log")
    with pytest.raises(StackError, match="not ready within 0 s"):
        await child.wait_for_line("ready", deadline_s=0.1)
    await child.kill()


async def test_a_child_that_does_not_heed_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    child = await start(STUBBORN, tmp_path / "log")
    await child.wait_for_line("ready", deadline_s=PATIENCE_S)
    assert await child.stop(grace_s=0.2) == -signal.SIGKILL
    assert not alive(child.pid)


async def test_much_output_neither_blocks_a_child_nor_is_lost(tmp_path: Path) -> None:
    child = await start("yes fill the pipe | head -c 3000000; echo; echo done", tmp_path / "log")
    await child.wait_for_line("^done$", deadline_s=PATIENCE_S)
    await child.wait()
    assert (tmp_path / "log").stat().st_size == 3_000_006


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = (sys.executable, "-c", PARENT, str(tmp_path / "log"))
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), timeout=PATIENCE_S))
    assert alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await until(lambda: not alive(pid))
