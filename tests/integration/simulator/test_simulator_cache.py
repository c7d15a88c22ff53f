"""The context cache, seen by a client."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx

from fleet_simulator import (
    DEFAULT_KEY,
    INSTANT,
    CacheRules,
    Running,
    SimulatorConfig,
    serve,
)
from harness.clock import HandClock
from harness.sse import a_chat, chunks_in

KEY = {"Authorization": f"Bearer {DEFAULT_KEY}"}
WHOLE: dict[str, Any] = {"stream": False}
# About 900 tokens: three whole units and a rest.
LONG = "Count these sheep: " + ", ".join(f"sheep {number:04d}" for number in range(250))


async def ask(http: httpx.AsyncClient, question: str = "Who?", **changes: Any) -> httpx.Response:
    return await http.post("/chat/completions", json=a_chat(question, **{**WHOLE, **changes}), headers=KEY)


async def usage(http: httpx.AsyncClient, question: str = LONG, **changes: Any) -> dict[str, Any]:
    reply = await ask(http, question, **changes)
    found = chunks_in(reply.text)[-1]["usage"] if changes.get("stream") else reply.json()["usage"]
    hit = found["prompt_cache_hit_tokens"]
    assert hit + found["prompt_cache_miss_tokens"] == found["prompt_tokens"]
    assert found["prompt_tokens_details"]["cached_tokens"] == hit
    return found


async def test_a_prompt_is_known_some_seconds_after_it_was_answered() -> None:
    clock, config = HandClock(), SimulatorConfig(timing=replace(INSTANT, cache_write=3.0))
    async with serve(config, clock=clock) as running, httpx.AsyncClient(base_url=running.base_url) as http:
        hits: list[int] = []
        for seconds in (0, 2, 1.5, 90_000):
            clock.advance(seconds)
            hits.append((await usage(http))["prompt_cache_hit_tokens"])
    assert hits == [0, 0, 768, 0]


async def test_hits_are_charged_at_their_own_price(simulator: Running, http: httpx.AsyncClient) -> None:
    for _ in range(2):
        await usage(http)
    await simulator.log.wait_for(lambda event: event.kind == "closed" and event.call == 2)
    charged = [event.fields for event in simulator.log.events(kind="charged")]
    assert [fields["hit"] for fields in charged] == [0, 768]
    costs = [Decimal(str(fields["amount"])) for fields in charged]
    assert costs[0] > costs[1]
    assert simulator.balance() == Decimal("1000000.00") - sum(costs)


async def test_the_next_turn_finds_the_answer_in_the_cache_too(http: httpx.AsyncClient) -> None:
    first = (await ask(http, LONG)).json()
    said = first["choices"][0]["message"]["content"]
    body = a_chat(LONG, **WHOLE)
    body["messages"] += [{"role": "assistant", "content": said}, {"role": "user", "content": "And then?"}]
    used = (await http.post("/chat/completions", json=body)).json()["usage"]
    assert used["prompt_cache_hit_tokens"] > 768
    assert used["prompt_cache_hit_tokens"] % 256 == 0


async def test_the_cache_is_apart_for_each_user_id_and_each_model(http: httpx.AsyncClient) -> None:
    calls: list[dict[str, Any]] = [
        {"user_id": "one"},
        {"user_id": "two"},
        {},
        {"user_id": "one", "model": "deepseek-v4-pro"},
        {"user_id": "one"},
    ]
    assert [(await usage(http, **call))["prompt_cache_hit_tokens"] for call in calls] == [0, 0, 0, 0, 768]


async def test_a_short_prompt_never_hits(http: httpx.AsyncClient) -> None:
    assert [(await usage(http, "Who?"))["prompt_cache_hit_tokens"] for _ in range(3)] == [0, 0, 0]


async def test_the_cache_promises_nothing() -> None:
    config = SimulatorConfig(timing=INSTANT, cache=CacheRules(hit_probability=0.5))
    async with serve(config) as simulator, httpx.AsyncClient(base_url=simulator.base_url) as http:
        hits = [(await usage(http, max_tokens=1))["prompt_cache_hit_tokens"] for _ in range(40)]
    assert set(hits) == {0, 768}
