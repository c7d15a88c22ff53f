"""Workers of an older image give way to newer ones under load, where a Docker engine answers."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet_cli.stack.command import run
from harness.caller import TERMINAL, Caller, a_caller
from harness.compose import ROOT, Composed, composed
from harness.waiting import until

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(900)]

OLDER = "0.0.1"
WORKERS = 2
ASK_EVERY_S = 0.2
STEADY_S = 4.0
PATIENCE_S = 90.0
ROLL_S = 300.0
FROM = "FLEET_TEST_UPGRADE_FROM"
"""A git revision to come from; this very code under an older version where unset."""


class Load:
    """Asks steadily, and keeps every terminal reply."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.asked: list[str] = []
        self.ends: dict[str, list[dict[str, Any]]] = {}
        self.tasks = [asyncio.create_task(self._ask()), asyncio.create_task(self._read())]

    async def _ask(self) -> None:
        while True:
            body = {
                "model": "deepseek-flash",
                "messages": [{"role": "user", "content": f"What is {len(self.asked)} plus one?"}],
                "stream": True,
            }
            self.asked.append(await self._caller.ask(body))
            await asyncio.sleep(ASK_EVERY_S)

    async def _read(self) -> None:
        while True:
            reply = await self._caller.next(PATIENCE_S)
            if reply["kind"] in TERMINAL:
                self.ends.setdefault(reply["correlation_id"], []).append(reply)

    async def stop_asking(self) -> None:
        self.tasks[0].cancel()
        with suppress(asyncio.CancelledError):
            await self.tasks[0]
        await until(lambda: self.ends.keys() >= set(self.asked), deadline_s=PATIENCE_S)


async def versions(fleet: Composed) -> Counter[str]:
    """How many running workers say that they are of which version."""
    found: Counter[str] = Counter()
    for worker in await fleet.workers():
        said = await fleet.docker("exec", worker, "fleet", "--version")
        found[said[-1]] += 1
    return found


async def charged(fleet: Composed) -> int:
    """Upstream calls that the simulator has sent a bill for."""
    async with httpx.AsyncClient(base_url=f"http://{await fleet.address('simulator', 8080)}") as http:
        log = (await http.get("/_simulator/log")).text
    return log.count('"charged"')


async def older_tree(environ: Mapping[str, str], folder: Path) -> Path:
    """The code to come from, in a folder of its own."""
    if revision := environ.get(FROM):
        archive = folder / "older.tar"
        await run(
            ("git", "archive", "--output", str(archive), revision),
            environ=environ,
            deadline_s=60,
            folder=ROOT,
        )
        await run(("tar", "-xf", str(archive), "-C", str(folder)), environ=environ, deadline_s=60)
        return folder
    for name in (await run(("git", "ls-files"), environ=environ, deadline_s=60, folder=ROOT)).splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    await run((".ci/version", OLDER), environ=environ, deadline_s=60, folder=folder)
    return folder


async def test_an_older_image_gives_way_to_a_newer_one_under_load_and_every_request_is_answered_once(
    private_environ: Mapping[str, str], tmp_path: Path
):
    async with composed(private_environ) as fleet:
        older, newer = f"{fleet.image}:older", f"{fleet.image}:newer"
        tree = await older_tree(private_environ, tmp_path)
        await fleet.build(tree, older)
        await fleet.build(ROOT, newer)
        await fleet.up(workers=WORKERS, build=False, IMAGE=older)
        before = await versions(fleet)
        async with a_caller(await fleet.amqp_url()) as caller:
            load = Load(caller)
            await asyncio.sleep(STEADY_S)
            await fleet.roll(ROLL_S, IMAGE=newer)
            await asyncio.sleep(STEADY_S)
            await load.stop_asking()
            load.tasks[1].cancel()
        after = await versions(fleet)
        assert sum(before.values()) == sum(after.values()) == WORKERS
        assert before.keys() != after.keys() or private_environ.get(FROM)
        assert {kind for ends in load.ends.values() for kind in (end["kind"] for end in ends)} == {"result"}
        assert all(len({end["id"] for end in ends}) == len(ends) == 1 for ends in load.ends.values())
        assert {end["attempts"] for ends in load.ends.values() for end in ends} == {1}
        assert await charged(fleet) == len(load.asked)
        print(f"{len(load.asked)} requests, {dict(before)} to {dict(after)}")  # noqa: T201 - shown with -s
    assert await fleet.left() == []
