"""A gateway that wants the key exchanged for session tokens: the client against a simulator that does."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import structlog

from fleet_chassis.clock import SystemClock
from fleet_contracts.codes import ErrorCode
from fleet_simulator import DEFAULT_KEY, Running, SessionRules, SimulatorConfig, serve
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints, Exchange
from fleet_worker.deepseek.auth import SessionAuth
from fleet_worker.deepseek.exchange import Tokens
from fleet_worker.deepseek.keys import FixedKey, KeyFile, Keys
from fleet_worker.deepseek.transport import open_http
from harness.clock import LateClock
from harness.requests import a_request
from harness.upstream import soon
from harness.waiting import until

pytestmark = pytest.mark.sockets

CALLERS = 200
BODY = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Hi"}],
    "thinking": {"type": "disabled"},
}
STRICT = replace(SimulatorConfig().at_once(), sessions=SessionRules(required=True))


@dataclass
class House:
    simulator: Running
    deepseek: DeepSeek
    clock: LateClock

    async def call(self) -> Completion:
        request = a_request(body=BODY, stream=False)
        return await self.deepseek.complete(request, soon(60, self.clock), lambda _: None)

    async def calls(self, number: int = CALLERS) -> None:
        await asyncio.gather(*(self.call() for _ in range(number)))

    @property
    def exchanges(self) -> int:
        return self.simulator.simulator.sessions.exchanges

    def refused(self) -> int:
        return len(self.simulator.log.events(kind="refused"))


@asynccontextmanager
async def a_house(
    config: SimulatorConfig = STRICT, keys: Keys | None = None, **exchange: object
) -> AsyncGenerator[House]:
    clock = LateClock()
    async with serve(config) as simulator, open_http(5) as http:
        how = Exchange(**{"url": f"{simulator.base_url}/v1/auth", **exchange})  # pyright: ignore[reportArgumentType]
        auth = SessionAuth(Tokens(http, how, keys or FixedKey(DEFAULT_KEY), clock))
        deepseek = DeepSeek.open(Endpoints(simulator.base_url), auth, Clocks(), clock)
        try:
            yield House(simulator, deepseek, clock)
        finally:
            await deepseek.aclose()
            await auth.aclose()


async def test_two_hundred_callers_without_a_token_make_one_exchange():
    async with a_house() as house:
        await house.calls()
        assert (house.exchanges, house.refused()) == (1, 0)


async def test_two_hundred_callers_at_the_end_of_a_token_make_one_exchange():
    async with a_house() as house:
        await house.call()
        house.clock.ahead_s = 3600
        await house.calls()
        assert (house.exchanges, house.refused()) == (2, 0)


async def test_a_token_is_exchanged_before_its_end_and_nobody_waits_for_that():
    async with a_house(refresh_s=60) as house:
        await house.call()
        house.clock.ahead_s = 3600 - 30
        await house.calls(20)
        await until(lambda: house.exchanges == 2)
        assert house.refused() == 0


async def test_two_hundred_callers_whose_token_is_refused_make_one_exchange_and_all_are_answered():
    async with a_house() as house:
        await house.call()
        house.simulator.simulator.sessions.end()
        await house.calls()
        assert house.exchanges == 2


async def test_a_caller_who_leaves_does_not_end_the_exchange_that_others_wait_for():
    async with a_house() as house:
        calls = [asyncio.create_task(house.call()) for _ in range(20)]
        await asyncio.sleep(0)
        calls[0].cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(one, Completion) for one in ended) == 19
        assert house.exchanges == 1


async def test_a_key_that_the_gateway_refuses_is_the_accounts_trouble_and_shown_to_nobody():
    async with a_house(keys=FixedKey("sk-CANARY-refused")) as house:
        ended = await asyncio.gather(*(house.call() for _ in range(5)), return_exceptions=True)
        for error in ended:
            assert isinstance(error, CompletionError)
            assert error.code is ErrorCode.UNAUTHORIZED
            assert "CANARY" not in f"{error} {error!r} {error.upstream} {error.__cause__}"
        assert len({id(error) for error in ended}) == 5


async def test_a_gateway_without_such_an_exchange_is_no_requests_fault():
    async with a_house(SimulatorConfig().at_once()) as house:
        with pytest.raises(CompletionError) as caught:
            await house.call()
        assert caught.value.code is ErrorCode.UNAUTHORIZED


async def test_the_key_is_exchanged_anew_when_it_was_changed_in_its_file(tmp_path: Path):
    path = tmp_path / "key"
    path.write_text(DEFAULT_KEY)
    keys = KeyFile(path, SystemClock(), structlog.get_logger())
    async with a_house(keys=keys) as house:
        await house.call()
        path.write_text("sk-new")
        house.simulator.configure(
            accounts=tuple(
                replace(one, keys=("sk-new",)) for one in house.simulator.simulator.config.accounts
            )
        )
        await house.calls(20)
        assert house.exchanges == 2


async def test_the_simulator_tells_how_often_keys_were_exchanged():
    async with a_house() as house, httpx.AsyncClient(base_url=house.simulator.base_url) as http:
        await house.call()
        assert (await http.get("/_simulator/sessions")).json() == {"exchanges": 1, "living": 1}
        assert (await http.delete("/_simulator/sessions")).status_code == 204
        assert (await http.get("/_simulator/sessions")).json() == {"exchanges": 1, "living": 0}
        refused = await http.get("/models", headers={"Authorization": f"Bearer {DEFAULT_KEY}"})
        assert refused.status_code == 401


async def test_sessions_can_be_switched_on_while_the_simulator_runs():
    async with (
        serve(SimulatorConfig().at_once()) as simulator,
        httpx.AsyncClient(
            base_url=simulator.base_url, headers={"Authorization": f"Bearer {DEFAULT_KEY}"}
        ) as http,
    ):
        assert (await http.post("/v1/auth")).status_code == 404
        wish = {"sessions": {"required": True, "lifetime": 7}}
        assert (await http.post("/_simulator/config", json=wish)).json()["sessions"]["lifetime"] == 7
        answer = (await http.post("/v1/auth")).json()
        assert answer["expires_in"] == 7
        token = {"Authorization": f"Bearer {answer['access_token']}"}
        assert (await http.get("/models", headers=token)).status_code == 200
