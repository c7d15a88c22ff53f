"""One worker, a real broker, real HTTP: what a backend gets for what it asks."""

from typing import Any

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion

from fleet_contracts.reply import Chunk, Failure, Result, Waiting
from fleet_simulator.answers import expected_completion, expected_text
from fleet_simulator.faults import Fault, Kind, Match
from harness.caller import a_follower, text_of
from harness.house import a_house

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("plain_publish")]

CHAT: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Why is the sky blue?"}],
}
CALM: dict[str, Any] = {**CHAT, "thinking": {"type": "disabled"}}


async def test_a_streamed_request_is_accepted_then_chunks_then_one_result(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        body = {**CHAT, "stream": True}
        correlation_id = await house.caller.ask(body)
        replies = await house.caller.until_end()
        await house.caller.silence()
    reasoning, content = expected_text(body)
    kinds = [reply["kind"] for reply in replies]
    assert kinds[0] == "accepted"
    assert set(kinds[1:-1]) == {"chunk"}
    assert kinds[-1] == "result"
    assert {reply["correlation_id"] for reply in replies} == {correlation_id}
    assert text_of(replies, "reasoning_content") == reasoning
    assert text_of(replies) == content
    result = Result.model_validate(replies[-1])
    assert (result.attempt, result.attempts, result.degraded) == (1, 1, False)
    assert result.last_seq == len(kinds) - 3
    message = replies[-1]["response"]["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == (reasoning, content)
    assert ChatCompletion.model_validate(replies[-1]["response"]).choices[0].finish_reason == "stop"
    assert result.cost is not None
    for reply in replies[1:-1]:
        Chunk.model_validate(reply)


async def test_an_unstreamed_request_gets_its_result_alone(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(CALM)
        (result,) = await house.caller.until_end()
    assert result["last_seq"] == -1
    assert result["response"]["choices"][0]["message"]["content"] == expected_text(CALM)[1]
    assert result["timings"]["first_content_ms"] is None


async def test_fill_in_the_middle_is_answered_as_a_text_completion(fleet_vhost: str):
    body: dict[str, Any] = {"model": "deepseek-flash", "prompt": "def add(a, b):", "suffix": "    return c"}
    async with a_house(fleet_vhost) as house:
        await house.caller.ask({**body, "stream": True}, type="fim.v1")
        streamed = await house.caller.until_end()
        await house.caller.ask(body, type="fim.v1")
        (whole,) = await house.caller.until_end()
    expected = expected_completion(body)
    assert text_of(streamed) == expected
    for result in (streamed[-1], whole):
        assert result["response"]["choices"][0]["text"] == expected
        assert result["response"]["object"] == "text_completion"
    Completion.model_validate(whole["response"])


async def test_tool_calls_json_and_log_probabilities_come_as_the_upstream_sends_them(fleet_vhost: str):
    tools = [
        {
            "type": "function",
            "function": {
                "name": "look_up",
                "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
            },
        }
    ]
    bodies = [
        {**CALM, "tools": tools, "stream": True},
        {
            **CALM,
            "messages": [{"role": "user", "content": "Answer in json"}],
            "response_format": {"type": "json_object"},
        },
        {**CALM, "logprobs": True, "top_logprobs": 2, "stream": True},
    ]
    async with a_house(fleet_vhost) as house:
        ends: list[list[dict[str, Any]]] = []
        for body in bodies:
            await house.caller.ask(body)
            ends.append(await house.caller.until_end())
    called, as_json, likely = (end[-1]["response"]["choices"][0] for end in ends)
    assert called["finish_reason"] == "tool_calls"
    assert called["message"]["tool_calls"][0]["function"]["name"] == "look_up"
    assert as_json["message"]["content"].lstrip().startswith("{")
    assert likely["logprobs"]["content"]
    streamed: list[Any] = []
    for reply in ends[2]:
        streamed += (reply.get("logprobs") or {"content": []})["content"]
    assert streamed == likely["logprobs"]["content"]


@pytest.mark.parametrize(
    ("exchange", "key", "tenant"),
    [
        ("deepseek.requests", "interactive.acme", "acme"),
        ("deepseek.requests", "batch.acme", "acme"),
        ("deepseek.requests", "no.lane.at.all", "default"),
        ("", "deepseek.requests", "default"),
    ],
)
async def test_every_way_to_publish_is_answered(fleet_vhost: str, exchange: str, key: str, tenant: str):
    async with (
        a_house(fleet_vhost) as house,
        a_follower(house.url, f"result.{tenant}.deepseek-flash") as follower,
    ):
        correlation_id = await house.caller.ask(CALM, exchange=exchange, key=key)
        (own,) = await house.caller.until_end()
        (copy,) = await follower.until_end()
    assert own == copy
    assert own["correlation_id"] == correlation_id


async def test_without_a_reply_queue_everything_goes_to_the_results(fleet_vhost: str):
    async with a_house(fleet_vhost) as house, a_follower(house.url) as follower:
        await house.caller.ask({**CALM, "stream": True}, reply_to=None)
        replies = await follower.until_end()
    assert text_of(replies) == expected_text(CALM)[1]
    assert replies[-1]["kind"] == "result"


async def test_an_answer_that_nobody_hears_is_no_error(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(CALM, reply_to=None)
        await house.caller.ask(CALM)
        assert (await house.caller.until_end())[-1]["kind"] == "result"


async def test_a_break_after_text_is_announced_and_the_new_attempt_complete(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.EOF_WITHOUT_DONE, match=Match(nth=1), after_chunks=30))
        await house.caller.ask({**CHAT, "stream": True})
        replies = await house.caller.until_end()
    cut = next(place for place, reply in enumerate(replies) if reply["kind"] == "restarted")
    assert replies[cut]["attempt"] == 2
    assert replies[cut]["reason"] == "upstream_interrupted"
    assert text_of(replies[:cut], "reasoning_content")
    assert text_of(replies[cut:]) == expected_text(CHAT)[1]
    assert (replies[-1]["attempt"], replies[-1]["attempts"]) == (2, 2)


async def test_trouble_before_any_text_is_repeated_in_silence(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.STATUS, match=Match(nth=1), status=503))
        await house.caller.ask({**CHAT, "stream": True})
        replies = await house.caller.until_end()
    assert "restarted" not in {reply["kind"] for reply in replies}
    assert replies[-1]["attempts"] == 2


async def test_what_the_upstream_refuses_fails_with_its_words_and_trace(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask({**CALM, "model": "deepseek-unheard-of"})
        (reply,) = await house.caller.until_end()
    failure = Failure.model_validate(reply)
    assert (failure.code, failure.retryable, failure.attempts) == ("upstream_rejected", False, 1)
    assert failure.upstream is not None
    assert failure.upstream.status == 400
    assert "supported API model names" in (failure.upstream.message or "")
    assert failure.upstream.trace_id


async def test_a_request_published_twice_is_paid_once_and_answered_with_the_same_bytes(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        for _ in range(2):
            await house.caller.ask(CALM, correlation_id="invoice-42")
        first, second = [(await house.caller.until_end())[-1] for _ in range(2)]
        arrivals = house.simulator.log.events(kind="arrived")
    assert first == second
    assert first["id"] == "invoice-42:final"
    assert len(arrivals) == 1


async def test_a_direct_reply_to_is_answered(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        replies = await house.caller.channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        direct = type(house.caller)(house.caller.channel, replies)
        await direct.listen()
        await direct.ask(CALM)
        assert (await direct.until_end())[-1]["kind"] == "result"


async def test_a_reply_queue_that_goes_away_mid_stream_leaves_the_result_on_the_results(fleet_vhost: str):
    async with a_house(fleet_vhost) as house, a_follower(house.url) as follower:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        await house.caller.ask({**CHAT, "stream": True})
        assert (await house.caller.next())["kind"] == "accepted"
        await house.caller.queue.delete(if_unused=False, if_empty=False)
        house.simulator.faults.clear()
        (result,) = await follower.until_end()
    assert result["degraded"] is True
    assert result["response"]["choices"][0]["message"]["content"] == expected_text(CHAT)[1]


async def test_whoever_asks_for_it_is_told_how_many_are_before_it(fleet_vhost: str):
    async with a_house(fleet_vhost, limit_concurrency=1) as house:
        house.simulator.inject(Fault(Kind.HOLD, after_chunks=1))
        first = await house.caller.ask(CALM)
        await house.simulator.log.wait_for(lambda event: event.kind == "admitted", within=20)
        second = await house.caller.ask(CALM, headers={"fleet-waiting": True})
        told = await house.caller.next()
        house.simulator.faults.clear()
        replies = [told, *await house.caller.until_end(), *await house.caller.until_end()]
    waiting = [reply for reply in replies if reply["kind"] == "waiting"]
    assert {reply["correlation_id"] for reply in waiting} == {second} != {first}
    assert Waiting.model_validate(waiting[0]).position == 0
    assert waiting[0]["id"] == f"{second}:waiting:1"
    assert [reply["kind"] for reply in replies if reply["correlation_id"] == first] == ["result"]
