"""A worker as a process whose key is changed in its file, under load, while the old one is revoked."""

import asyncio
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet_simulator import Account, Running, SimulatorConfig, Timing, serve
from harness.caller import Caller, a_caller
from harness.processes import a_fleet
from harness.waiting import until

pytestmark = pytest.mark.sockets

OLD, NEW = "sk-CANARY-old", "sk-CANARY-new"
CALM: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Hello"}],
    "thinking": {"type": "disabled"},
    "stream": True,
}
BEFORE, AFTER = 40, 80


def swap(folder: Path, key: str, version: str) -> Path:
    """Put a key where it is mounted, as Kubernetes does: the link in the middle is swapped."""
    (folder / version).mkdir()
    (folder / version / "key").write_text(f"{key}\n")
    (folder / "..swap").symlink_to(version)
    (folder / "..swap").rename(folder / "..data")
    if not (folder / "key").is_symlink():
        (folder / "key").symlink_to(Path("..data") / "key")
    return folder / "key"


def let_in(simulator: Running, *keys: str) -> None:
    (account,) = simulator.simulator.config.accounts
    simulator.configure(accounts=(replace(account, keys=keys),))


async def ask(caller: Caller, times: int) -> None:
    for _ in range(times):
        await caller.ask(CALM)
        await asyncio.sleep(0.01)


async def ends(caller: Caller, times: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(times):
        end = (await caller.until_end())[-1]
        assert "CANARY" not in str(end)
        found[str(end.get("code") or end["kind"])] += 1
    return found


async def test_a_key_is_changed_under_load_without_one_failed_request_and_is_shown_nowhere(
    fleet_vhost: str, tmp_path: Path
):
    mounted, logs = tmp_path / "mounted", tmp_path / "logs"
    mounted.mkdir()
    logs.mkdir()
    config = SimulatorConfig(
        accounts=(Account("one", (OLD,)),), timing=Timing(headers=0.05, first_token=0, tokens_per_second=2000)
    )
    async with serve(config) as simulator:
        settings = {
            "DEEPSEEK_API_KEY": "",
            "DEEPSEEK_API_KEY_FILE": str(swap(mounted, OLD, "..1")),
            "FLEET_LOG_LEVEL": "debug",
        }
        async with (
            a_fleet(fleet_vhost, simulator.base_url, logs, **settings) as fleet,
            a_caller(fleet_vhost) as caller,
        ):
            worker = await fleet.start_worker()
            await ask(caller, BEFORE)
            let_in(simulator, OLD, NEW)
            swap(mounted, NEW, "..2")
            # Nobody has looked at the file yet: whoever calls now is refused once.
            let_in(simulator, NEW)
            await ask(caller, AFTER)
            assert await ends(caller, BEFORE + AFTER) == {"result": BEFORE + AFTER}
            assert "account paused" not in fleet.log_of(worker)

            # With no key left the account waits for a person, and that shows no key either.
            let_in(simulator)
            seen = simulator.log.next_offset
            await caller.ask(CALM)
            await simulator.log.wait_for(lambda event: event.kind == "refused", since=seen, within=30)
            await until(lambda: "account paused" in fleet.log_of(worker), deadline_s=30)
            health = re.search(r"health at (http\S+)", fleet.log_of(worker))
            assert health
            async with httpx.AsyncClient() as http:
                metrics = (await http.get(f"{health[1]}/metrics")).text
            assert 'fleet_account_paused{account="default",code="unauthorized"} 1.0' in metrics
            assert "CANARY" not in metrics
        log = fleet.log_of(worker)
        assert "the API key was changed" in log
        assert "CANARY" not in log
