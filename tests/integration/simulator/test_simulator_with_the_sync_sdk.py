"""The official SDK in its sync form, in a thread of its own, through a whole conversation with tools."""

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

import openai
import orjson
import pytest
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionNamedToolChoiceParam,
    ChatCompletionToolParam,
)

from fleet_simulator import DEFAULT_KEY, Account, Burst, Fault, Kind, Running, expected_text
from harness.sse import QUESTION, a_chat

MODEL = "deepseek-flash"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
NO_THINKING = {"thinking": {"type": "disabled"}}
T = TypeVar("T")


NAMED: ChatCompletionNamedToolChoiceParam = {"type": "function", "function": {"name": "get_weather"}}


def only_call(reply: ChatCompletion) -> ChatCompletionMessageFunctionToolCall:
    (call,) = list(reply.choices[0].message.tool_calls or ())
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    return call


def weather(*, strict: bool = False) -> ChatCompletionToolParam:
    return {
        "type": "function",
        "function": {
            "name": "get_weather",
            "strict": strict,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
    }


async def with_sdk(simulator: Running, use: Callable[[openai.OpenAI], T], path: str = "") -> T:
    def run() -> T:
        base_url = f"{simulator.base_url}{path}"
        with openai.OpenAI(base_url=base_url, api_key=DEFAULT_KEY, max_retries=0, timeout=10) as client:
            return use(client)

    return await asyncio.to_thread(run)


async def test_a_tool_is_called_answered_and_spoken_about_when_the_reasoning_is_sent_back(
    simulator: Running,
) -> None:
    def converse(sdk: openai.OpenAI) -> tuple[str | None, str]:
        messages = list(MESSAGES)
        called = sdk.chat.completions.create(model=MODEL, messages=messages, tools=[weather()])
        message, call = called.choices[0].message, only_call(called)
        result: ChatCompletionMessageParam = {
            "role": "tool",
            "tool_call_id": call.id,
            "content": "24 °C",
        }
        back = cast("ChatCompletionMessageParam", message.model_dump(exclude_none=True))
        spoken = sdk.chat.completions.create(
            model=MODEL, messages=[*messages, back, result], tools=[weather()]
        )
        forgetful = cast("ChatCompletionMessageParam", {**back, "reasoning_content": ""})
        with pytest.raises(openai.BadRequestError) as refused:
            sdk.chat.completions.create(
                model=MODEL, messages=[*messages, forgetful, result], tools=[weather()]
            )
        return spoken.choices[0].message.content, refused.value.message

    content, refusal = await with_sdk(simulator, converse)
    assert content
    assert "The `reasoning_content` in the thinking mode must be passed back to the API." in refusal


async def test_a_forced_call_needs_thinking_off(simulator: Running) -> None:
    def force(sdk: openai.OpenAI) -> str:
        def ask(extra_body: dict[str, dict[str, str]]) -> ChatCompletion:
            return sdk.chat.completions.create(
                model=MODEL, messages=MESSAGES, tools=[weather()], tool_choice=NAMED, extra_body=extra_body
            )

        with pytest.raises(openai.BadRequestError, match="Thinking mode does not support this tool_choice"):
            ask({})
        return only_call(ask(NO_THINKING)).function.arguments

    assert orjson.loads(await with_sdk(simulator, force))["unit"] in {"C", "F"}


async def test_strict_functions_work_on_the_beta_address_only(simulator: Running) -> None:
    def call(sdk: openai.OpenAI) -> str | None:
        reply = sdk.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[weather(strict=True)])
        return reply.choices[0].finish_reason

    assert await with_sdk(simulator, call, "/beta") == "tool_calls"
    with pytest.raises(openai.BadRequestError, match="beta"):
        await with_sdk(simulator, call)


@pytest.mark.parametrize("stream", [True, False])
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
async def test_every_refusal_has_its_type_of_exception(
    simulator: Running, status: int, error: type[openai.APIStatusError], *, stream: bool
) -> None:
    simulator.inject(Fault(Kind.STATUS, status=status))
    caught = await with_sdk(simulator, lambda sdk: refusal_of(sdk, stream=stream))
    assert type(caught) is error
    assert caught.status_code == status


def refusal_of(sdk: openai.OpenAI, *, stream: bool = False) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=stream)
    return caught.value


async def test_an_empty_account_and_a_burst_are_told_apart(simulator: Running) -> None:
    simulator.configure(bursts=(Burst(status=503),))
    busy = await with_sdk(simulator, refusal_of)
    simulator.configure(accounts=(Account("default", (DEFAULT_KEY,), balance="0.00"),))
    empty = await with_sdk(simulator, refusal_of)
    assert [busy.status_code, empty.status_code] == [503, 402]
    assert cast("dict[str, str]", empty.body)["message"] == "Insufficient Balance"


async def test_the_sdk_retries_a_burst_away(simulator: Running) -> None:
    simulator.inject(Fault(Kind.STATUS, status=503, times=2))

    def ask(sdk: openai.OpenAI) -> str | None:
        patient = sdk.with_options(max_retries=2)
        return patient.chat.completions.create(model=MODEL, messages=MESSAGES).choices[0].message.content

    assert await with_sdk(simulator, ask) == expected_text(a_chat())[1]
    assert [event.fields["status"] for event in simulator.log.events(kind="refused")] == [503, 503]


async def test_cached_tokens_reach_the_sdk(simulator: Running) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Count the sheep. " * 200}]

    def ask(sdk: openai.OpenAI) -> int | None:
        usage = sdk.chat.completions.create(model=MODEL, messages=long).usage
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        return usage.prompt_tokens_details.cached_tokens

    assert [await with_sdk(simulator, ask) for _ in range(2)] == [0, 768]
