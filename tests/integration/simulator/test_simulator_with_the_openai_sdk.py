"""The official SDK is a reader we did not write: what it understands is close to the real thing."""

from collections.abc import AsyncIterator
from typing import Any, cast

import openai
import orjson
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from fleet_simulator import DEFAULT_KEY, Fault, Kind, Running, expected_text
from harness.sse import QUESTION, a_chat

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
MODEL = "deepseek-flash"
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
async def sdk(simulator: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=simulator.base_url, api_key=DEFAULT_KEY, max_retries=0, timeout=10
    ) as client:
        yield client


async def test_the_sdk_reads_a_stream(sdk: openai.AsyncOpenAI) -> None:
    reasoning, content, usage = "", "", None
    stream = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    async for chunk in stream:
        delta = chunk.choices[0].delta
        reasoning += getattr(delta, "reasoning_content", None) or ""
        content += delta.content or ""
        usage = chunk.usage or usage
    assert (reasoning, content) == expected_text(a_chat())
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


async def test_the_sdk_reads_a_whole_answer(sdk: openai.AsyncOpenAI) -> None:
    reply = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert reply.choices[0].message.content == expected_text(a_chat())[1]
    assert reply.usage is not None
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens


async def test_the_sdk_puts_a_streamed_tool_call_together(sdk: openai.AsyncOpenAI) -> None:
    name, arguments, finish = "", "", None
    stream = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[TOOL], stream=True)
    async for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or ():
            assert call.function is not None
            name += call.function.name or ""
            arguments += call.function.arguments or ""
        finish = chunk.choices[0].finish_reason or finish
    assert (name, finish) == ("get_weather", "tool_calls")
    assert orjson.loads(arguments)["city"]


async def test_a_whole_tool_call_is_the_streamed_one(sdk: openai.AsyncOpenAI) -> None:
    reply = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[TOOL])
    (call,) = list(reply.choices[0].message.tool_calls or ())
    assert call.id.startswith("call_00_")
    assert call.type == "function"
    assert orjson.loads(call.function.arguments)["city"]


async def test_the_sdk_reads_log_probabilities(sdk: openai.AsyncOpenAI) -> None:
    reply = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES, logprobs=True, top_logprobs=3)
    found = reply.choices[0].logprobs
    assert found is not None
    assert "".join(entry.token for entry in found.content or ()) == reply.choices[0].message.content
    reasoning = cast("list[dict[str, Any]]", found.model_dump()["reasoning_content"])
    assert "".join(entry["token"] for entry in reasoning) == expected_text(a_chat())[0]


async def test_the_sdk_fills_a_gap(simulator: Running) -> None:
    async with openai.AsyncOpenAI(base_url=f"{simulator.base_url}/beta", api_key=DEFAULT_KEY) as client:
        reply = await client.completions.create(model=MODEL, prompt="def f():\n", suffix="\n", max_tokens=20)
    assert reply.choices[0].text
    assert reply.choices[0].finish_reason == "length"


async def test_the_sdk_lists_the_models(sdk: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in sdk.models.list()] == ["deepseek-flash", "deepseek-v4-pro"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_the_sdk_tells_refusals_apart(
    simulator: Running, sdk: openai.AsyncOpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    simulator.inject(Fault(Kind.STATUS, status=status))
    with pytest.raises(error) as caught:
        await sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert caught.value.status_code == status
    assert cast("dict[str, str]", caught.value.body)["message"]
