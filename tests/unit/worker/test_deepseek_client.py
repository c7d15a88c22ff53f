"""One upstream call, without a socket: what is an answer and what is none."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import MAX_REPLY_BYTES, RequestType
from harness.requests import BODY, a_response
from harness.simulated_time import in_simulated_time
from harness.upstream import (
    DONE,
    KEEP_ALIVE,
    KEY,
    Body,
    Step,
    Upstream,
    chat_stream,
    chunk,
    complete,
    event,
    failed,
    silence,
)

JSON_MODE = {**BODY, "response_format": {"type": "json_object"}, "stream": True}


def streaming(*steps: Step) -> Upstream:
    return Upstream(Body(*steps), headers={"x-ds-trace-id": "trace-1"})


def whole(document: Any) -> Upstream:
    return Upstream(Body(orjson.dumps(document)), headers={"x-ds-trace-id": "trace-1"})


async def test_a_stream_gives_deltas_in_order_and_then_the_whole_answer() -> None:
    completion, deltas = await complete(streaming(*chat_stream(["Hi", " there"])))
    assert [delta.fields for delta in deltas] == [{"content": "Hi"}, {"content": " there"}]
    assert completion.response["choices"][0]["message"] == {"role": "assistant", "content": "Hi there"}
    assert completion.response["usage"]["completion_tokens"] == 2
    assert completion.trace_id == "trace-1"
    assert completion.first_content_ms is not None
    assert completion.first_content_ms <= completion.upstream_ms


async def test_the_payload_is_posted_byte_for_byte_with_the_key() -> None:
    upstream = streaming(*chat_stream())
    await complete(upstream, payload=b'{"model": "m",  "odd": "spaces"}')
    [call] = upstream.calls
    assert call.content == b'{"model": "m",  "odd": "spaces"}'
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["content-type"] == "application/json"
    assert str(call.url) == "https://upstream.test/chat/completions"


async def test_an_unstreamed_answer_is_passed_on_as_it_came() -> None:
    document = a_response("Hi", extra=[1, None, {"kept": True}])
    upstream = Upstream(Body(b"\n", b"\n\n", orjson.dumps(document)[:40], orjson.dumps(document)[40:]))
    completion, deltas = await complete(upstream, stream=False)
    assert completion.response == document
    assert (deltas, completion.first_content_ms) == ([], None)


async def test_a_fim_stream_gives_content_and_a_text_completion() -> None:
    def piece(text: str, finish_reason: str | None = None) -> bytes:
        return event({"id": "1", "choices": [{"index": 0, "text": text, "finish_reason": finish_reason}]})

    upstream = streaming(piece("def"), piece(" f"), piece("", "stop"), DONE)
    completion, deltas = await complete(upstream, type=RequestType.FIM, body={"model": "m", "prompt": "p"})
    assert [delta.fields for delta in deltas] == [{"content": "def"}, {"content": " f"}]
    assert completion.response["object"] == "text_completion"
    assert completion.response["choices"][0]["text"] == "def f"
    assert str(upstream.calls[0].url) == "https://upstream.test/beta/completions"


@pytest.mark.parametrize("finish_reason", ["stop", "tool_calls", "length", "content_filter"])
async def test_every_finish_that_the_api_calls_an_end_is_a_success(finish_reason: str) -> None:
    completion, _ = await complete(streaming(*chat_stream(finish_reason=finish_reason)))
    assert completion.response["choices"][0]["finish_reason"] == finish_reason


@pytest.mark.parametrize("finish_reason", ["insufficient_system_resource", "aborted", "made_up", "", 7])
@pytest.mark.parametrize("stream", [True, False])
async def test_any_other_finish_is_an_interrupted_answer(finish_reason: Any, stream: bool) -> None:
    document = a_response("Hi there")
    document["choices"][0]["finish_reason"] = finish_reason
    upstream = streaming(*chat_stream(finish_reason=finish_reason)) if stream else whole(document)
    error = await failed(upstream, stream=stream)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)
    assert error.partial == {"content": "Hi there"}
    assert error.upstream is not None
    assert (error.upstream.status, error.upstream.trace_id) == (200, "trace-1")


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param([KEEP_ALIVE], {}, id="keep-alives and the end"),
        pytest.param(chat_stream()[:2], {"content": "Hi"}, id="cut in the text"),
        pytest.param(chat_stream()[:-1], {"content": "Hi there"}, id="cut before [DONE]"),
        pytest.param([*chat_stream()[:3], DONE], {"content": "Hi there"}, id="no finish"),
        pytest.param([DONE], {}, id="only [DONE]"),
        pytest.param([*chat_stream()[:2], httpx.ReadError("reset")], {"content": "Hi"}, id="reset"),
        pytest.param([*chat_stream()[:2], b"data: {\n\n", DONE], {"content": "Hi"}, id="broken JSON"),
        pytest.param(
            [*chat_stream()[:2], b'data: {"a":"\xc3\x28"}\n\n', DONE], {"content": "Hi"}, id="broken UTF-8"
        ),
        pytest.param([*chat_stream()[:2], b"data: [1]\n\n", DONE], {"content": "Hi"}, id="no chunk"),
        pytest.param(
            [*chat_stream()[:2], b"data: " + b"x" * 2**20 * 17], {"content": "Hi"}, id="a line without end"
        ),
    ],
)
async def test_a_stream_that_is_not_whole_is_no_success(steps: list[Step], text: dict[str, str]) -> None:
    upstream = streaming(*steps)
    error = await failed(upstream)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)
    assert error.partial == text
    assert upstream.body.closed


async def test_an_error_inside_a_stream_keeps_what_the_upstream_said() -> None:
    said = {"error": {"message": "Internal error", "type": "internal_server_error"}}
    error = await failed(streaming(*chat_stream()[:2], event(said), DONE))
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)
    assert error.upstream is not None
    assert (error.upstream.type, error.upstream.message) == ("internal_server_error", "Internal error")
    assert error.upstream.trace_id == "trace-1"
    assert error.partial == {"content": "Hi"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n\n",
        b"not json",
        b"[1]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[1]}',
        b'{"error":{"message":"m"}}',
    ],
)
async def test_a_200_without_an_answer_is_an_interrupted_one(body: bytes) -> None:
    error = await failed(Upstream(Body(body)), stream=False)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)


async def test_an_unstreamed_answer_that_breaks_off_is_an_interrupted_one() -> None:
    error = await failed(Upstream(Body(b'{"choices":', httpx.ReadError("reset"))), stream=False)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)


async def test_an_unstreamed_answer_over_the_bound_is_too_large_and_not_read_on() -> None:
    upstream = Upstream(Body(forever=b"x" * 2**20))
    error = await failed(upstream, stream=False)
    assert (error.code, error.again) == (ErrorCode.TOO_LARGE, False)
    assert upstream.body.closed


async def test_a_stream_over_the_bound_is_too_large_and_not_read_on() -> None:
    upstream = Upstream(Body(forever=event(chunk({"content": "x" * 2**20}))))
    error = await failed(upstream)
    assert (error.code, error.again) == (ErrorCode.TOO_LARGE, False)
    assert len(error.partial["content"]) <= MAX_REPLY_BYTES + 2**20


@pytest.mark.parametrize("content", ["", "   ", " \n"])
@pytest.mark.parametrize("stream", [True, False])
async def test_blank_content_in_json_mode_may_be_asked_again(content: str, stream: bool) -> None:
    upstream = streaming(*chat_stream([content])) if stream else whole(a_response(content))
    error = await failed(upstream, body=JSON_MODE, stream=stream)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)
    assert "json" in str(error)


async def test_blank_content_without_json_mode_is_an_answer() -> None:
    completion, _ = await complete(streaming(*chat_stream(["  "])))
    assert completion.response["choices"][0]["message"]["content"] == "  "


async def test_blank_content_in_json_mode_is_an_answer_where_it_was_cut_short() -> None:
    completion, _ = await complete(streaming(*chat_stream([""], "length")), body=JSON_MODE)
    assert completion.response["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("steps", [[], chat_stream()[:2]])
async def test_cancelling_closes_the_upstream(steps: list[Step]) -> None:
    reached = asyncio.Event()

    async def stall() -> None:
        reached.set()
        await silence()

    upstream = streaming(*steps, stall)
    call = asyncio.create_task(complete(upstream))
    await asyncio.wait_for(reached.wait(), 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert upstream.body.closed


@in_simulated_time
async def test_an_answer_whose_stream_is_not_closed_is_not_held_back() -> None:
    upstream = streaming(*chat_stream(), silence)
    async with asyncio.timeout(5):
        completion, _ = await complete(upstream)
    assert completion.response["choices"][0]["finish_reason"] == "stop"
    assert upstream.body.closed
