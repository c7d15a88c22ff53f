"""Refusals in bursts, blank answers, and settings that are refused themselves."""

from typing import Any

import httpx
import orjson
import pytest

from fleet_simulator import (
    DEFAULT_KEY,
    INSTANT,
    Burst,
    Running,
    SimulatorConfig,
    serve,
)
from harness.clock import HandClock
from harness.sse import a_chat

KEY = {"Authorization": f"Bearer {DEFAULT_KEY}"}
WHOLE: dict[str, Any] = {"stream": False}


async def ask(http: httpx.AsyncClient, question: str = "Who?", **changes: Any) -> httpx.Response:
    return await http.post("/chat/completions", json=a_chat(question, **{**WHOLE, **changes}), headers=KEY)


async def test_a_burst_refuses_its_share_of_the_completions_and_spares_the_rest(
    simulator: Running, http: httpx.AsyncClient
) -> None:
    bursts = [{"status": 503, "probability": 0.3}, {"status": 500, "probability": 0.2}]
    assert (await http.post("/_simulator/config", json={"bursts": bursts})).status_code == 200
    replies = [await ask(http, max_tokens=1) for _ in range(200)]
    statuses = [reply.status_code for reply in replies]
    assert 40 < statuses.count(503) < 80
    assert 15 < statuses.count(500) < 45
    busy = next(reply for reply in replies if reply.status_code == 503)
    assert busy.json()["error"]["type"] == "service_unavailable_error"
    assert (await http.get("/models")).status_code == 200
    assert simulator.limits.in_flight("default", "deepseek-flash") == 0


async def test_a_burst_comes_in_windows() -> None:
    clock = HandClock()
    config = SimulatorConfig(timing=INSTANT, bursts=(Burst(status=503, after=10, lasts=5, every=60),))
    async with (
        serve(config, clock=clock) as simulator,
        httpx.AsyncClient(base_url=simulator.base_url) as http,
    ):
        statuses: list[int] = []
        for seconds in (0, 10, 4, 1, 55, 5):
            clock.advance(seconds)
            statuses.append((await ask(http)).status_code)
    assert statuses == [200, 503, 503, 200, 503, 200]


async def test_json_mode_is_sometimes_blank_and_the_same_times_for_the_same_seed() -> None:
    async def blanks() -> list[bool]:
        config = SimulatorConfig(timing=INSTANT, blank_json=0.3, seed=7)
        async with serve(config) as simulator, httpx.AsyncClient(base_url=simulator.base_url) as http:
            replies = [await ask(http, "json", response_format={"type": "json_object"}) for _ in range(60)]
            plain = [(await ask(http)).json()["choices"][0]["message"]["content"] for _ in range(5)]
        assert all(text.strip() for text in plain)
        choices = [reply.json()["choices"][0] for reply in replies]
        assert {choice["finish_reason"] for choice in choices} == {"stop"}
        assert all(choice["message"]["content"] for choice in choices)
        return [set(choice["message"]["content"]) == {" "} for choice in choices]

    first = await blanks()
    assert 8 < sum(first) < 30
    assert await blanks() == first


async def test_every_setting_is_shown_and_what_is_shown_can_be_set_again(http: httpx.AsyncClient) -> None:
    shown = (await http.get("/_simulator/config")).json()
    assert DEFAULT_KEY not in orjson.dumps(shown).decode()
    del shown["accounts"]
    again = await http.post("/_simulator/config", json=shown)
    assert again.status_code == 200
    del (after := again.json())["accounts"]
    assert after == shown


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"bursts": [{"status": 200}]}, "from 400 to 599"),
        ({"bursts": [{"chance": 1}]}, "Burst has no ['chance']"),
        ({"blank_json": 2}, "blank_json"),
        ({"curve": {"points": [[0, 1]]}}, "two or more pairs"),
        ({"balances": {"default": "much"}}, "no amount"),
        ({"cache": {"hit_probability": -1}}, "hit_probability"),
    ],
)
async def test_a_setting_that_makes_no_sense_is_refused_and_changes_nothing(
    http: httpx.AsyncClient, document: dict[str, Any], text: str
) -> None:
    before = (await http.get("/_simulator/config")).json()
    refused = await http.post("/_simulator/config", json=document)
    assert refused.status_code == 400
    assert text in refused.json()["error"]
    assert (await http.get("/_simulator/config")).json() == before
