"""The client against a real HTTP server that behaves like DeepSeek: answers."""

import asyncio
from typing import Any

import pytest

from fleet_simulator import Fault, Kind, Running, expected_completion, expected_text
from fleet_worker.deepseek import DeepSeek
from harness.deepseek_calls import NO_THINKING, chat, complete, failed, fim, joined
from harness.sse import QUESTION
from harness.waiting import until

TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def without_identity(response: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in response.items() if name not in {"id", "created"}}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="thinking"),
        pytest.param(NO_THINKING, id="without thinking"),
        pytest.param({"max_tokens": 30}, id="thinking eats the limit"),
        pytest.param({"stream_options": {"include_usage": True}}, id="usage is null on the way"),
    ],
)
async def test_every_byte_of_the_text_arrives(deepseek: DeepSeek, changes: dict[str, Any]) -> None:
    request = chat(**changes)
    completion, deltas = await complete(deepseek, request)
    reasoning, content = expected_text(request.body)
    assert (joined(deltas, "reasoning_content"), joined(deltas, "content")) == (reasoning, content)
    message = completion.response["choices"][0]["message"]
    assert (message.get("reasoning_content") or "", message["content"]) == (reasoning, content)


async def test_every_byte_of_a_fim_answer_arrives(deepseek: DeepSeek) -> None:
    request = fim()
    completion, deltas = await complete(deepseek, request)
    assert joined(deltas, "content") == expected_completion(request.body)
    assert completion.response["choices"][0]["text"] == expected_completion(request.body)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="thinking"),
        pytest.param(NO_THINKING, id="without thinking"),
        pytest.param({"max_tokens": 30}, id="no content at all"),
        pytest.param({"logprobs": True, "top_logprobs": 2}, id="log probabilities"),
        pytest.param({"logprobs": True, "max_tokens": 5, **NO_THINKING}, id="few log probabilities"),
        pytest.param({"tools": [TOOL]}, id="a tool call"),
        pytest.param({"tools": [TOOL], **NO_THINKING}, id="a tool call without thinking"),
        pytest.param({"stop": ["the"], **NO_THINKING}, id="a stop word"),
        pytest.param({"response_format": {"type": "json_object"}, "question": "As json: who?"}, id="json"),
    ],
)
async def test_a_streamed_answer_equals_the_unstreamed_one(
    deepseek: DeepSeek, changes: dict[str, Any]
) -> None:
    question = changes.get("question", QUESTION)
    changes = {name: value for name, value in changes.items() if name != "question"}
    streamed, _ = await complete(deepseek, chat(question, **changes))
    unstreamed, deltas = await complete(deepseek, chat(question, **changes, stream=False))
    assert without_identity(streamed.response) == without_identity(unstreamed.response)
    assert deltas == []


async def test_a_streamed_fim_answer_equals_the_unstreamed_one(deepseek: DeepSeek) -> None:
    streamed, _ = await complete(deepseek, fim())
    unstreamed, _ = await complete(deepseek, fim(stream=False))
    assert without_identity(streamed.response) == without_identity(unstreamed.response)


async def test_the_trace_id_is_the_one_in_the_upstream_s_log(simulator: Running, deepseek: DeepSeek) -> None:
    completion, _ = await complete(deepseek, chat())
    simulator.inject(Fault(Kind.STATUS, status=503, times=1))
    error = await failed(deepseek)
    assert error.upstream is not None
    known = [event.fields["trace_id"] for event in simulator.log.events(kind="arrived")]
    assert known == [completion.trace_id, error.upstream.trace_id]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.SPLIT, sizes=(1,)),
        Fault(Kind.SPLIT, sizes=(7, 1, 13)),
        Fault(Kind.MERGE, events=9),
        Fault(Kind.CRLF),
        Fault(Kind.BOM),
        Fault(Kind.HUGE_LINE, size=6_000_000),
        Fault(Kind.TRAILING_USAGE),
        Fault(Kind.SLOW_FIRST_TOKEN, seconds=0.05),
    ],
    ids=lambda fault: fault.kind.value,
)
async def test_an_odd_stream_is_read_all_the_same(
    simulator: Running, deepseek: DeepSeek, fault: Fault
) -> None:
    simulator.inject(fault)
    request = chat()
    completion, deltas = await complete(deepseek, request)
    assert (joined(deltas, "reasoning_content"), joined(deltas, "content")) == expected_text(request.body)
    assert completion.response["usage"]["completion_tokens"] > 0


async def test_keep_alives_before_an_answer_do_no_harm(simulator: Running, deepseek: DeepSeek) -> None:
    simulator.inject(Fault(Kind.SLOW_FIRST_TOKEN, seconds=0.1))
    for stream in (True, False):
        request = chat(stream=stream)
        completion, _ = await complete(deepseek, request)
        assert completion.response["choices"][0]["message"]["content"] == expected_text(request.body)[1]


async def test_two_hundred_streams_at_once_keep_their_text_apart(
    simulator: Running, deepseek: DeepSeek
) -> None:
    requests = [chat(f"Question {number} about topic{number}?", max_tokens=100) for number in range(200)]
    simulator.inject(Fault(Kind.HOLD, after_chunks=1))
    calls = asyncio.gather(*(complete(deepseek, request) for request in requests))
    await until(lambda: simulator.limits.in_flight("default", "deepseek-flash") == 200)
    simulator.faults.clear()
    answers = await calls
    for request, (completion, deltas) in zip(requests, answers, strict=True):
        reasoning, content = expected_text(request.body)
        assert (joined(deltas, "reasoning_content"), joined(deltas, "content")) == (reasoning, content)
        assert completion.response["choices"][0]["message"]["reasoning_content"] == reasoning


async def test_prefix_completion_continues_on_the_beta_address(
    simulator: Running, deepseek: DeepSeek
) -> None:
    first = chat(**NO_THINKING)
    _, content = expected_text(first.body)
    said = {"role": "assistant", "content": content[:40], "prefix": True}
    request = chat(messages=[*first.body["messages"], said], **NO_THINKING)
    completion, _ = await complete(deepseek, request)
    assert completion.response["choices"][0]["message"]["content"] == content[40:]
    [arrived] = simulator.log.events(kind="arrived")
    assert arrived.fields["path"] == "/beta/chat/completions"
