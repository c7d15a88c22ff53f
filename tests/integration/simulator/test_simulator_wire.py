"""The simulated API over real sockets."""

import asyncio
import re

import httpx
import pytest

from fleet_simulator import (
    DEFAULT_KEY,
    INSTANT,
    Account,
    Fault,
    Kind,
    Running,
    SimulatorConfig,
    Timing,
    expected_completion,
    expected_text,
    serve,
)
from harness.clock import HandClock
from harness.sse import a_chat, chunks_in, text_in

KEY = {"Authorization": f"Bearer {DEFAULT_KEY}"}


async def test_a_streamed_answer_arrives_to_the_last_byte(http: httpx.AsyncClient) -> None:
    reply = await http.post("/chat/completions", json=a_chat())
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert text_in(chunks_in(reply.text)) == expected_text(a_chat())
    assert reply.text.endswith("\n\ndata: [DONE]\n\n")


async def test_the_whole_answer_is_the_streamed_one(http: httpx.AsyncClient) -> None:
    reply = await http.post("/v1/chat/completions", json=a_chat(stream=False))
    message = reply.json()["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == expected_text(a_chat())
    usage = reply.json()["usage"]
    assert usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"] == usage["prompt_tokens"]


async def test_a_gap_is_filled_on_the_beta_address_only(http: httpx.AsyncClient) -> None:
    body = {"model": "deepseek-flash", "prompt": "def add(items):\n", "suffix": "\n"}
    whole = (await http.post("/beta/completions", json=body)).json()
    streamed = await http.post("/beta/completions", json={**body, "stream": True})
    text = "".join(chunk["choices"][0]["text"] for chunk in chunks_in(streamed.text))
    assert whole["choices"][0]["text"] == text == expected_completion(body)
    refused = await http.post("/completions", json=body)
    assert refused.json()["error"]["message"] == (
        'completions api is only available when using beta api (set base_url="https://api.deepseek.com/beta")'
    )


async def test_prefix_completion_goes_on_with_the_answer(http: httpx.AsyncClient) -> None:
    _, content = expected_text(a_chat())
    prefix = {"role": "assistant", "content": content[:50], "prefix": True}
    body = a_chat()
    body["messages"] = [*body["messages"], prefix]
    reply = await http.post("/beta/chat/completions", json=body)
    assert content[:50] + text_in(chunks_in(reply.text))[1] == content


@pytest.mark.parametrize(
    ("path", "status"),
    [("/models", 200), ("/v1/auth", 404), ("/embeddings", 404), ("/models/gpt", 404), ("/user/balance", 200)],
)
async def test_every_response_carries_a_trace_id(http: httpx.AsyncClient, path: str, status: int) -> None:
    reply = await http.get(path)
    assert reply.status_code == status
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-ds-trace-id"])


async def test_a_missing_key_is_refused_in_plain_text_without_a_content_type(simulator: Running) -> None:
    async with httpx.AsyncClient(base_url=simulator.base_url) as client:
        reply = await client.post("/chat/completions", json=a_chat())
    assert (reply.status_code, reply.content) == (401, b"Authentication Fails (governor)")
    assert "content-type" not in reply.headers


async def test_models_and_balance_stay_healthy_while_completions_fail(
    simulator: Running, http: httpx.AsyncClient
) -> None:
    simulator.inject(Fault(Kind.STATUS, status=503))
    assert (await http.post("/chat/completions", json=a_chat())).status_code == 503
    assert (await http.get("/models")).json()["data"][0]["context_window"] == 1_048_576
    assert (await http.get("/user/balance")).json()["balance_infos"][0]["total_balance"] == "1000000.00"


async def test_concurrency_is_shared_by_the_keys_of_an_account_and_apart_for_each_model() -> None:
    accounts = (Account("one", ("sk-a", "sk-b"), {"deepseek-flash": 2}), Account("two", ("sk-c",)))
    async with (
        serve(SimulatorConfig(accounts=accounts, timing=INSTANT)) as simulator,
        httpx.AsyncClient(base_url=simulator.base_url) as client,
        asyncio.TaskGroup() as calls,
    ):
        simulator.inject(Fault(Kind.HANG_BEFORE_HEADERS, times=2))
        held = [calls.create_task(_post(client, key)) for key in ("sk-a", "sk-b")]
        await simulator.log.wait_for(lambda event: event.fields.get("in_flight") == 2)
        refused = await _post(client, "sk-a")
        assert refused.status_code == 429
        assert "Your current concurrency is 3, which exceeds your concurrency limit of 2" in refused.text
        assert "retry-after" not in refused.headers
        assert (await _post(client, "sk-a", model="deepseek-v4-pro")).status_code == 200
        assert (await _post(client, "sk-c")).status_code == 200
        for call in held:
            call.cancel()
        await simulator.log.wait_for(
            lambda event: event.kind == "released" and event.fields["in_flight"] == 0
        )
        assert simulator.limits.peak("one", "deepseek-flash") == 2


async def _post(client: httpx.AsyncClient, key: str, **changes: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await client.post("/chat/completions", json=a_chat(**changes), headers=headers)


async def test_a_call_that_waits_is_kept_alive_every_12_4_seconds_and_closed_after_ten_minutes() -> None:
    config, clock = SimulatorConfig(), HandClock()
    async with serve(config, clock=clock) as simulator:
        simulator.inject(Fault(Kind.SLOW_FIRST_TOKEN, seconds=700))
        async with httpx.AsyncClient(base_url=simulator.base_url, headers=KEY) as client:
            reply = await client.post("/chat/completions", json=a_chat())
            blank = await client.post("/chat/completions", json=a_chat(stream=False))
        closed = simulator.log.events(kind="closed")
        assert closed[0].at - simulator.log.events(kind="arrived")[0].at == pytest.approx(600)
    assert reply.status_code == blank.status_code == 200
    assert reply.text == ": keep-alive\n\n" * 48
    assert blank.text == "\n" * 48
    assert [event.fields["reason"] for event in closed] == ["queue_closed"] * 2


async def test_headers_come_after_0_4_seconds_and_tokens_at_the_set_speed() -> None:
    clock = HandClock()
    async with serve(SimulatorConfig(timing=Timing(tokens_per_second=10)), clock=clock) as simulator:
        async with httpx.AsyncClient(base_url=simulator.base_url, headers=KEY) as client:
            reply = await client.post("/chat/completions", json=a_chat(max_tokens=50))
        arrived, closed = simulator.log.events(kind="arrived"), simulator.log.events(kind="closed")
    messages = len(chunks_in(reply.text)) + 1
    assert clock.slept[0] == 0.4
    assert closed[0].at - arrived[0].at == pytest.approx(0.4 + 0.2 + messages / 10, abs=0.01)


async def test_a_thousand_calls_one_after_the_other_use_one_connection(simulator: Running) -> None:
    async with httpx.AsyncClient(base_url=simulator.base_url, headers=KEY) as client:
        for _ in range(1000):
            await client.get("/models")
    arrived = simulator.log.events(kind="arrived")
    assert len(arrived) == 1000
    assert len({event.fields["connection"] for event in arrived}) == 1


async def test_the_log_tells_the_story_of_a_call(simulator: Running, http: httpx.AsyncClient) -> None:
    reply = await http.post("/chat/completions", json=a_chat())
    events = simulator.log.events()
    kinds = [event.kind for event in events]
    assert kinds == ["arrived", "authorized", "admitted", "first_byte", "charged", "released", "closed"]
    assert events[-1].fields == {"reason": "done", "bytes": len(reply.content)}
    assert events[0].fields["trace_id"] == reply.headers["x-ds-trace-id"]
    assert not any("quorum" in str(event.fields) or DEFAULT_KEY in str(event.fields) for event in events)
