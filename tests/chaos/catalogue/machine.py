"""Faults of the machine and of what is installed on it: clocks, stalls, full disks, descriptors, versions."""

import asyncio
import io
import os
import resource
import sys
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from chaos.asks import ask
from chaos.catalogue.entry import OutError, entry
from chaos.catalogue.stage import Stage
from fleet_cli.stack.store.asking import ask as asked_of

ROOT = Path(__file__).parents[3]
HOUR_S = 3600
STALL_S = 12
COMMITS_BACK = 40
"""Where there is no release yet, the fleet as it was so many commits ago."""
CLIENT_LIBRARIES = (
    "tests/contract/libraries",
    "tests/integration/libraries",
    "tests/integration/worker/test_door.py",
    "tests/integration/worker/test_publishers.py",
    "tests/integration/harness",
)


@entry(
    46,
    "one worker's clock is an hour slow, another's an hour fast, and both jump while they work",
    "leases are of the store's time and durations of a steady clock: every call is paid once",
    workers=1,
)
async def wrong_clocks(stage: Stage) -> None:
    crew, hands = stage.scene.crew, [stage.folder / "slow", stage.folder / "fast"]
    for hand, seconds in zip(hands, (-HOUR_S, HOUR_S), strict=True):
        hand.write_text(str(seconds))
        crew.odd = {"CLOCK": str(hand)}
        await crew.start()
    async with stage.load():
        await asyncio.sleep(5)
        for hand, seconds in zip(hands, (HOUR_S, -HOUR_S), strict=True):
            hand.write_text(str(seconds))
        stage.mended()
    await stage.paid_once()
    await stage.all_have_results()


@entry(
    53,
    "an upgrade of FastStream or aio-pika that behaves in another way",
    "the tests that pin down what we rely on pass",
    workers=0,
)
async def client_libraries(stage: Stage) -> None:
    command = (sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:xdist", *CLIENT_LIBRARIES)
    ran = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=dict(stage.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await ran.communicate()
    last = said.decode().strip().splitlines()[-1]
    stage.note("tests", last.strip("= "))
    stage.must(ran.returncode == 0, f"they pass: {last}")


@entry(
    54,
    "workers of the last release beside those of today, and each killed once",
    "each ends what the other began; every text is whole",
    workers=2,
)
async def mixed_versions(stage: Stage) -> None:
    crew = stage.scene.crew
    revision, paths = await _an_old_fleet(stage.folder / "old")
    stage.note("beside", revision)
    new = list(crew.members)
    old = [await crew.start(PYTHONPATH=os.pathsep.join(map(str, paths))) for _ in range(2)]
    async with stage.load(16):
        await asyncio.sleep(5)
        stage.mended()
        await crew.lose(old[0])
        await asyncio.sleep(4)
        stage.mended()
        await crew.lose(new[0])
    await stage.all_have_results()
    begun = {event.fields["worker"] for event in stage.seen("accepted")}
    stage.must(old[1].child.name in begun and new[1].child.name in begun, f"both kinds work, not {begun}")


async def _an_old_fleet(folder: Path) -> tuple[str, list[Path]]:
    """The sources of an earlier fleet below `folder`, and which it is."""
    tag = (await _git("describe", "--tags", "--abbrev=0")).decode().strip()
    revision = tag or (await _git("rev-parse", "--short", f"HEAD~{COMMITS_BACK}")).decode().strip()
    packed = await _git("archive", "--format=tar", revision, "contracts/src", "services")
    if not revision or not packed:
        raise OutError("there is no earlier version here: it needs git and this repository's history")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return revision, [folder / "contracts/src", *sorted(folder.glob("services/*/src"))]  # noqa: ASYNC240 - six folders


async def _git(*arguments: str) -> bytes:
    ran = await asyncio.create_subprocess_exec(
        "git",
        "-C",
        str(ROOT),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await ran.communicate()
    return said if ran.returncode == 0 else b""


@entry(
    55,
    "a worker's event loop stands still for 12 s in the middle of an answer",
    "its calls go on or are taken over; no two ends",
    workers=2,
)
async def event_loop_stalls(stage: Stage) -> None:
    crew, mark = stage.scene.crew, stage.folder / "stalled"
    crew.odd = {"POINT": "streaming", "MARK": str(mark), "STALL_S": str(STALL_S)}
    await crew.start()
    async with stage.load():
        pass
    stage.must(mark.exists(), "the loop stood still: else nothing was tried")
    stage.mended()
    await stage.all_have_results()


@entry(
    56,
    "a worker has no descriptors left for 8 s; then the store's disk is full for 8 s",
    "no call begins without a disk; without descriptors none fails, and no other worker is held up",
    settings={"FLEET_RETRY_BASE_S": "0.5"},
    within_s=90,
)
async def nothing_left(stage: Stage) -> None:
    worker = stage.scene.crew.members[0].child.pid
    store = int((await asked_of(stage.scene.store.url, "INFO", "server"))["process_id"])
    async with stage.load(24):
        await asyncio.sleep(4)
        open_now = len(list(Path(f"/proc/{worker}/fd").iterdir()))  # noqa: ASYNC240 - a look into the kernel
        with _limited(worker, resource.RLIMIT_NOFILE, open_now + 1):
            await asyncio.sleep(8)
        await asyncio.sleep(2)
        with _limited(store, resource.RLIMIT_FSIZE, 1):
            await asyncio.sleep(2)
            begun = stage.calls("arrived")
            await asyncio.sleep(6)
            more = stage.calls("arrived") - begun
        stage.mended()
    stage.must(more == 0, f"no call begins that can't be written down, not {more}")
    await stage.caller.ask("after", ask(1))
    await stage.all_have_results()


@contextmanager
def _limited(process: int, what: int, most: int) -> Generator[None]:
    if not hasattr(resource, "prlimit"):
        raise OutError("only Linux can take descriptors and disk away from another process")
    _, hard = before = resource.prlimit(process, what)
    resource.prlimit(process, what, (most, hard))
    try:
        yield
    finally:
        resource.prlimit(process, what, before)
