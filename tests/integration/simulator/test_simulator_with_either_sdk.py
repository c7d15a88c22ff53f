"""The official SDK, sync and async, streamed and not: it understands every answer and every trouble alike."""

from typing import Any

import httpx
import openai
import orjson
import pytest

from fleet_simulator import Fault, Kind, Running, SimulatorConfig, Timing, expected_text, serve
from harness.either_sdk import Sdk
from harness.sse import a_chat

pytestmark = pytest.mark.sockets

BOTH = [True, False]
EITHER = [
    pytest.param(
        Sdk(asynchronous, stream),
        id=f"{'async' if asynchronous else 'sync'}, {'streamed' if stream else 'whole'}",
    )
    for asynchronous in BOTH
    for stream in BOTH
]
STREAMED = [each for each in EITHER if "streamed" in str(each.id)]
either = pytest.mark.parametrize("sdk", EITHER)
streamed = pytest.mark.parametrize("sdk", STREAMED)
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
JSON: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Name three queues, as json"}],
    "response_format": {"type": "json_object"},
}


@either
async def test_thinking_answer_and_usage_arrive(sdk: Sdk, simulator: Running) -> None:
    said = await sdk.ask(simulator.base_url)
    assert (said.reasoning, said.content) == expected_text(a_chat())
    assert said.finish == "stop"
    assert said.tokens


@either
async def test_thinking_is_switched_off(sdk: Sdk, simulator: Running) -> None:
    said = await sdk.ask(simulator.base_url, extra_body={"thinking": {"type": "disabled"}})
    assert said.reasoning == ""
    assert said.content


@either
async def test_a_tool_is_called_with_arguments_that_are_json(sdk: Sdk, simulator: Running) -> None:
    said = await sdk.ask(simulator.base_url, tools=[TOOL])
    assert said.finish == "tool_calls"
    assert [name for name, _ in said.calls.values()] == ["get_weather"]
    assert isinstance(orjson.loads(said.calls[0][1])["city"], str)


@either
async def test_json_mode_gives_a_document_and_now_and_then_blanks(sdk: Sdk, simulator: Running) -> None:
    assert orjson.loads((await sdk.ask(simulator.base_url, **JSON)).content)["topic"]
    simulator.configure(blank_json=1.0)
    blank = await sdk.ask(simulator.base_url, **JSON)
    assert blank.content
    assert (blank.content.strip(), blank.finish) == ("", "stop")


@either
async def test_keep_alives_before_an_answer_are_no_part_of_it(sdk: Sdk) -> None:
    timing = Timing(headers=0, first_token=0.2, keep_alive=0.02, tokens_per_second=0)
    async with serve(SimulatorConfig(timing=timing)) as simulator:
        said = await sdk.ask(simulator.base_url)
    assert (said.reasoning, said.content) == expected_text(a_chat())


@either
@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({"model": "deepseek-chat"}, openai.BadRequestError, "The supported API model names are"),
        ({"messages": []}, openai.BadRequestError, "Empty input messages"),
        ({"max_tokens": 0}, openai.BadRequestError, "valid range of max_tokens is"),
        ({"response_format": {"type": "json_object"}}, openai.BadRequestError, "the word 'json'"),
        (
            {"extra_body": {"thinking": False}},
            openai.UnprocessableEntityError,
            "expected struct ThinkingOptions",
        ),
        ({"key": "sk-of-nobody-4321"}, openai.AuthenticationError, r"\*\*\*\*4321 is invalid"),
    ],
)
async def test_a_refusal_has_its_type_and_its_words(
    sdk: Sdk, simulator: Running, body: dict[str, Any], error: type[openai.APIStatusError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await sdk.ask(simulator.base_url, **body)


@either
async def test_a_call_above_the_limit_is_a_rate_limit_error_with_the_numbers(sdk: Sdk) -> None:
    async with serve(SimulatorConfig(limits={"deepseek-flash": 0}).at_once()) as simulator:
        with pytest.raises(openai.RateLimitError, match="exceeds your concurrency limit of 0") as refused:
            await sdk.ask(simulator.base_url)
    assert "retry-after" not in refused.value.response.headers


@either
@pytest.mark.parametrize("reason", ["insufficient_system_resource", "aborted"])
async def test_an_interrupted_answer_keeps_its_raw_finish_reason(
    sdk: Sdk, simulator: Running, reason: str
) -> None:
    simulator.inject(Fault(Kind.FINISH_REASON, finish_reason=reason, after_chunks=3))
    said = await sdk.ask(simulator.base_url)
    assert (said.finish, said.tokens) == (reason, 3)


@streamed
async def test_a_stream_without_its_end_is_only_told_by_the_missing_finish(
    sdk: Sdk, simulator: Running
) -> None:
    simulator.inject(Fault(Kind.EOF_WITHOUT_DONE, after_chunks=4))
    said = await sdk.ask(simulator.base_url)
    assert (said.finish, said.tokens) == (None, None)
    assert said.reasoning


@streamed
@pytest.mark.parametrize("kind", [Kind.CLOSE, Kind.RESET])
async def test_a_broken_connection_is_an_error_of_the_transport(
    sdk: Sdk, simulator: Running, kind: Kind
) -> None:
    simulator.inject(Fault(kind, after_chunks=4))
    with pytest.raises((openai.APIConnectionError, httpx.TransportError)):
        await sdk.ask(simulator.base_url)


@streamed
async def test_an_error_object_in_a_stream_is_raised(sdk: Sdk, simulator: Running) -> None:
    simulator.inject(Fault(Kind.ERROR_IN_STREAM, after_chunks=2))
    with pytest.raises(openai.APIError, match="Internal server error"):
        await sdk.ask(simulator.base_url)


@either
async def test_silence_ends_in_the_time_limit_of_the_caller(sdk: Sdk, simulator: Running) -> None:
    silent = Fault(Kind.STALL, after_chunks=4) if sdk.stream else Fault(Kind.HANG_BEFORE_HEADERS)
    simulator.inject(silent)
    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
        await sdk.ask(simulator.base_url, timeout_s=0.5)
