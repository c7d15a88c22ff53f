"""Keys that are changed while the simulator runs, and accounts with money of their own."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from fleet_simulator import Account, Running, SimulatorConfig, serve
from fleet_simulator.__main__ import main

pytestmark = pytest.mark.sockets

ASK: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Hi"}],
    "thinking": {"type": "disabled"},
}
TWO = replace(
    SimulatorConfig(
        accounts=(Account("a", ("sk-a",), balance="1.00"), Account("b", ("sk-b",), balance="0.00"))
    ),
).at_once()


async def asked(simulator: Running, key: str) -> int:
    async with httpx.AsyncClient(base_url=simulator.base_url) as http:
        headers = {"Authorization": f"Bearer {key}"}
        return (await http.post("/chat/completions", json=ASK, headers=headers)).status_code


async def test_each_account_has_money_of_its_own():
    async with serve(TWO) as simulator:
        assert (await asked(simulator, "sk-a"), await asked(simulator, "sk-b")) == (200, 402)


async def test_a_key_is_revoked_and_what_was_spent_stays_spent():
    async with serve(TWO) as simulator, httpx.AsyncClient(base_url=simulator.base_url) as http:
        await asked(simulator, "sk-a")
        left = simulator.balance("a")
        assert left < 1
        await http.post("/_simulator/config", json={"keys": {"a": ["sk-a", "sk-new"]}})
        assert [await asked(simulator, key) for key in ("sk-a", "sk-new")] == [200, 200]
        await http.post("/_simulator/config", json={"keys": {"a": ["sk-new"]}})
        assert [await asked(simulator, key) for key in ("sk-a", "sk-new")] == [401, 200]
        assert simulator.balance("a") < left
        refused = await http.post("/_simulator/config", json={"keys": {"c": ["sk-c"]}})
        assert (refused.status_code, refused.json()) == (
            400,
            {"error": "no accounts ['c']: set them in accounts first"},
        )


def test_a_balance_for_an_account_without_a_key_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--key", "a=sk-a", "--balance", "b=5.00"])
    assert "--balance names ['b'], and --key does not: give each a key" in capsys.readouterr().err
