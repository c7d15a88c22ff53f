"""`fleet doctor` where several accounts pay."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet_chassis.clock import SystemClock
from fleet_cli.doctor.accounts import check_accounts
from fleet_cli.doctor.check import Check, State
from fleet_simulator import Account, SimulatorConfig, serve

pytestmark = pytest.mark.sockets

PLAN = """
[[accounts]]
name = "first"
key_file = "{folder}/first"

[[accounts]]
name = "second"
key_file = "{folder}/second"

[[accounts]]
name = "third"
key_file = "{folder}/nowhere"
"""


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    accounts = (Account("one", ("sk-CANARY-1",)), Account("two", ("sk-other",)))
    async with serve(replace(SimulatorConfig(accounts=accounts).at_once())) as simulator:
        yield simulator.base_url


async def found(folder: Path, base_url: str) -> dict[str, Check]:
    (folder / "first").write_text("sk-CANARY-1")
    (folder / "second").write_text("sk-CANARY-2")
    (folder / "accounts.toml").write_text(PLAN.format(folder=folder))
    variables = {"DEEPSEEK_BASE_URL": base_url, "FLEET_ACCOUNTS_FILE": str(folder / "accounts.toml")}
    checks = await check_accounts(variables, SystemClock())
    return {check.name: check for check in checks}


async def test_each_account_is_looked_at_and_no_key_is_shown(tmp_path: Path, base_url: str):
    checks = await found(tmp_path, base_url)
    states = {name: check.state for name, check in checks.items()}
    assert states == {
        "account first": State.FINE,
        "balance first": State.FINE,
        "account second": State.FAILED,
        "account third": State.FAILED,
        "clock": State.FINE,
    }
    assert "can't be read" in checks["account third"].line()
    assert "CANARY" not in "".join(check.line() for check in checks.values())


async def test_a_wrong_accounts_file_is_told_in_its_own_sentence(tmp_path: Path):
    (tmp_path / "accounts.toml").write_text("accounts = 1")
    variables = {"FLEET_ACCOUNTS_FILE": str(tmp_path / "accounts.toml")}
    accounts, _ = await check_accounts(variables, SystemClock())
    assert "accounts.toml: accounts:" in accounts.found
