"""Conversations on a real worker: what DeepSeek is sent, and what that costs."""

from itertools import pairwise
from typing import Any

import pytest

from fleet_simulator.config import SimulatorConfig, Timing
from harness.caller import Caller
from harness.house import a_house

pytestmark = pytest.mark.sockets

PLAIN: dict[str, Any] = {"thinking": {"type": "disabled"}}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


async def turn(
    caller: Caller, text: str | list[dict[str, Any]], name: str = "talk", **fields: Any
) -> dict[str, Any]:
    """One turn, to its end."""
    messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
    body = {"model": "deepseek-flash", "messages": messages, **fields}
    await caller.ask(body, headers={"fleet-conversation": name})
    return (await caller.until_end())[-1]


async def history(caller: Caller) -> dict[str, Any]:
    await caller.ask({"action": "history"}, type="conversation.v1", headers={"fleet-conversation": "talk"})
    reply = await caller.next()
    assert reply["kind"] == "history"
    return reply


async def test_the_cached_share_grows_from_turn_to_turn(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        usages: list[dict[str, Any]] = []
        for number in range(6):
            said = f"Tell me of sheep {number}. " + "It says baa! " * 80
            usages.append((await turn(house.caller, said, max_tokens=50, **PLAIN))["response"]["usage"])
    hits = [usage["prompt_cache_hit_tokens"] for usage in usages]
    shares = [hit / usage["prompt_tokens"] for hit, usage in zip(hits, usages, strict=True)]
    assert hits[0] == 0
    assert all(before < after for before, after in pairwise(hits))
    assert shares[1] < 0.5
    assert shares[-1] > 0.7


async def test_a_long_conversation_is_trimmed_in_whole_turns_and_read_whole(fleet_vhost: str):
    async with a_house(fleet_vhost, conversation_tokens=400) as house:
        sent: list[int] = []
        for number in range(8):
            opening = [{"role": "system", "content": "Be brief."}] if number == 0 else []
            said = [*opening, {"role": "user", "content": f"{number} " + "sheep " * 50}]
            usage = (await turn(house.caller, said, max_tokens=20, **PLAIN))["response"]["usage"]
            sent.append(usage["prompt_tokens"])
        kept = await history(house.caller)
    assert max(sent) <= 400
    # Once trimmed, it grows again from there: what stays in front is the same for the turns after it.
    assert any(after < before for before, after in pairwise(sent))
    assert kept["conversation"] == {"id": "talk", "version": 8}
    assert [message["role"] for message in kept["messages"]] == ["system", *["user", "assistant"] * 8]


async def test_thinking_is_passed_back_with_tools_and_never_without(fleet_vhost: str):
    # This upstream refuses every chat with tools in which an answer lacks its thinking.
    strict = SimulatorConfig(every_reasoning=True).at_once()
    async with a_house(fleet_vhost, strict) as house:
        first = await turn(house.caller, "Hello")
        called = await turn(house.caller, "Look!", tools=TOOLS)
        call = called["response"]["choices"][0]["message"]["tool_calls"][0]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "grass"}]
        answered = await turn(house.caller, results, tools=TOOLS)
        last = await turn(house.caller, "Thanks")
        kept = (await history(house.caller))["messages"]
    assert [one["kind"] for one in (first, called, answered, last)] == ["result"] * 4
    assert all(message["reasoning_content"] for message in kept if message["role"] == "assistant")
    # Without tools the same chat is shorter by all that was thought.
    usage = [one["response"]["usage"]["prompt_tokens"] for one in (answered, last)]
    assert usage[1] < usage[0]


async def test_a_turn_waits_for_another_one_and_other_conversations_do_not(fleet_vhost: str):
    slow = SimulatorConfig(timing=Timing(headers=0, first_token=0, tokens_per_second=10))
    async with a_house(fleet_vhost, slow) as house:
        body = {"model": "deepseek-flash", "max_tokens": 40, **PLAIN}
        for cid in ("one", "two"):
            asked = {**body, "messages": [{"role": "user", "content": cid}]}
            await house.caller.ask(asked, correlation_id=cid, headers={"fleet-conversation": "talk"})
        quick = {**body, "max_tokens": 1, "messages": [{"role": "user", "content": "quick"}]}
        await house.caller.ask(quick, correlation_id="other", headers={"fleet-conversation": "another"})
        assert (await house.caller.next())["correlation_id"] == "other"
        ends = [await house.caller.next(timeout_s=60) for _ in range(2)]
    assert {end["conversation"]["version"]: end["kind"] for end in ends} == {1: "result", 2: "result"}
    # It waited in a rung: 4 s are longer than a delivery is held for another turn's end.
    parked = [end["timings"]["queued_ms"] for end in ends]
    assert max(parked) > 1000


async def test_a_turn_of_a_conversation_is_another_request_under_the_same_id(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "hi"}]}
        await house.caller.ask(body, correlation_id="same", headers={"fleet-conversation": "talk"})
        assert (await house.caller.next())["kind"] == "result"
        await house.caller.ask(body, correlation_id="same", headers={"fleet-conversation": "another"})
        assert (await house.caller.next())["code"] == "idempotency_conflict"
