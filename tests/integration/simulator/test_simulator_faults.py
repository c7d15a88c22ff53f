"""Every way a call can go wrong, seen from the other end of the socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fleet_simulator import Fault, Kind, Match, Running, expected_text
from harness.sse import a_chat, chunks_in, text_in


async def read_until_broken(
    http: httpx.AsyncClient, on_text: Callable[[str], object] = lambda _: None
) -> tuple[str, type[Exception] | None]:
    text, broke = "", None
    try:
        async with http.stream("POST", "/chat/completions", json=a_chat()) as reply:
            async for piece in reply.aiter_text():
                text += piece
                on_text(text)
    except httpx.TransportError as error:
        broke = type(error)
    return text, broke


@pytest.mark.parametrize(
    ("kind", "broke"),
    [
        (Kind.EOF_WITHOUT_DONE, None),
        (Kind.CLOSE, httpx.RemoteProtocolError),
        (Kind.RESET, httpx.ReadError),
    ],
)
async def test_a_stream_can_end_early(
    simulator: Running, http: httpx.AsyncClient, kind: Kind, broke: type[Exception] | None
) -> None:
    simulator.inject(Fault(kind, after_chunks=4, times=1))
    text, error = await read_until_broken(http)
    assert error is broke
    assert len(chunks_in(text)) == 4
    assert "[DONE]" not in text
    assert '"usage"' not in text


@pytest.mark.parametrize("kind", [Kind.STALL, Kind.HOLD])
async def test_a_stream_can_fall_silent(simulator: Running, http: httpx.AsyncClient, kind: Kind) -> None:
    simulator.inject(Fault(kind, after_chunks=4))
    text = ""
    async with http.stream("POST", "/chat/completions", json=a_chat()) as reply:
        pieces = reply.aiter_text()
        while len(chunks_in(text)) < 4:
            text += await anext(pieces)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(pieces)
    assert len(chunks_in(text)) == 4


async def test_a_reset_can_come_before_the_first_chunk(simulator: Running, http: httpx.AsyncClient) -> None:
    simulator.inject(Fault(Kind.RESET, after_chunks=0))
    assert await read_until_broken(http) == ("", httpx.ReadError)


async def test_eof_can_come_at_the_last_moment(simulator: Running, http: httpx.AsyncClient) -> None:
    simulator.inject(Fault(Kind.EOF_WITHOUT_DONE))
    text, _ = await read_until_broken(http)
    assert chunks_in(text)[-1]["choices"][0]["finish_reason"] == "stop"
    assert "[DONE]" not in text


@pytest.mark.parametrize("reason", ["insufficient_system_resource", "aborted"])
@pytest.mark.parametrize("stream", [True, False])
async def test_generation_can_be_interrupted_inside_a_200(
    simulator: Running, http: httpx.AsyncClient, reason: str, *, stream: bool
) -> None:
    simulator.inject(Fault(Kind.FINISH_REASON, finish_reason=reason, after_chunks=3))
    reply = await http.post("/chat/completions", json=a_chat(stream=stream))
    last = chunks_in(reply.text)[-1] if stream else reply.json()
    assert last["choices"][0]["finish_reason"] == reason
    assert last["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("status", [400, 401, 402, 422, 429, 500, 503])
async def test_a_status_is_scripted_for_one_prompt_and_spares_the_others(
    simulator: Running, http: httpx.AsyncClient, status: int
) -> None:
    simulator.inject(Fault(Kind.STATUS, Match(prompt="broker restart"), status=status))
    assert (await http.post("/chat/completions", json=a_chat())).status_code == status
    assert (await http.post("/chat/completions", json=a_chat("Hello"))).status_code == 200


async def test_an_edge_can_answer_without_json_and_name_a_time(
    simulator: Running, http: httpx.AsyncClient
) -> None:
    simulator.inject(Fault(Kind.STATUS, status=502, body="<html>Bad Gateway</html>", retry_after="7"))
    reply = await http.post("/chat/completions", json=a_chat())
    assert (reply.status_code, reply.text) == (502, "<html>Bad Gateway</html>")
    assert reply.headers["content-type"] == "text/html"
    assert reply.headers["retry-after"] == "7"


async def test_headers_may_never_come(simulator: Running, http: httpx.AsyncClient) -> None:
    simulator.inject(Fault(Kind.HANG_BEFORE_HEADERS))
    waiting = asyncio.create_task(http.post("/chat/completions", json=a_chat(), timeout=60))
    await simulator.log.wait_for(lambda event: event.kind == "admitted")
    await asyncio.wait([waiting], timeout=0.3)
    assert waiting.cancel()
    await asyncio.wait([waiting])
    closed = await simulator.log.wait_for(lambda event: event.kind == "closed")
    assert closed.fields["reason"] == "client_gone"
    assert simulator.limits.in_flight("default", "deepseek-flash") == 0


@pytest.mark.parametrize(
    ("kind", "chunks"), [(Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN, 0), (Kind.KEEP_ALIVES_AFTER_LAST_TOKEN, None)]
)
async def test_keep_alives_can_go_on_without_an_end(
    simulator: Running, http: httpx.AsyncClient, kind: Kind, chunks: int | None
) -> None:
    simulator.configure(timing=simulator.simulator.config.timing.sped_up(1000))
    simulator.inject(Fault(kind, seconds=0.3))
    text, error = await read_until_broken(http)
    assert error is None
    assert text.count(": keep-alive\n\n") > 10
    assert text_in(chunks_in(text)) == (("", "") if chunks == 0 else expected_text(a_chat()))
    assert not any(chunk["choices"][0]["finish_reason"] for chunk in chunks_in(text))


async def test_an_error_object_can_come_inside_a_stream(simulator: Running, http: httpx.AsyncClient) -> None:
    simulator.inject(Fault(Kind.ERROR_IN_STREAM, after_chunks=2))
    text, _ = await read_until_broken(http)
    assert "error" in chunks_in(text)[2]
    assert "[DONE]" not in text


ODDITIES = [
    [Fault(Kind.SPLIT, sizes=(1,))],
    [Fault(Kind.SPLIT, sizes=(1, 2, 3, 5, 7))],
    [Fault(Kind.MERGE, events=5)],
    [Fault(Kind.CRLF)],
    [Fault(Kind.HUGE_LINE, size=2_000_000, after_chunks=3)],
    [Fault(Kind.MERGE, events=3), Fault(Kind.SPLIT, sizes=(100, 1)), Fault(Kind.CRLF)],
    [Fault(Kind.PACE, tokens_per_second=5000)],
    [Fault(Kind.TRAILING_USAGE)],
]


@pytest.mark.parametrize("faults", ODDITIES, ids=lambda faults: "+".join(fault.kind for fault in faults))
async def test_odd_framing_never_changes_the_text(
    simulator: Running, http: httpx.AsyncClient, faults: list[Fault]
) -> None:
    for fault in faults:
        simulator.inject(fault)
    text, error = await read_until_broken(http)
    assert error is None
    assert text_in(chunks_in(text)) == expected_text(a_chat())
    assert text.rstrip().endswith("data: [DONE]")


async def test_a_split_stream_arrives_with_characters_cut(
    simulator: Running, http: httpx.AsyncClient
) -> None:
    simulator.inject(Fault(Kind.SPLIT))
    pieces: list[bytes] = []
    body = a_chat(thinking={"type": "disabled"})
    async with http.stream("POST", "/chat/completions", json=body) as reply:
        pieces = [piece async for piece in reply.aiter_raw()]
    assert any(0x80 <= piece[0] < 0xC0 for piece in pieces)


async def test_content_can_be_blank_with_a_good_ending(simulator: Running, http: httpx.AsyncClient) -> None:
    simulator.inject(Fault(Kind.BLANK_CONTENT))
    chunks = chunks_in((await http.post("/chat/completions", json=a_chat())).text)
    assert text_in(chunks)[1].strip() == ""
    assert text_in(chunks)[1] != ""
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_the_length_of_an_answer_can_be_set(simulator: Running, http: httpx.AsyncClient) -> None:
    simulator.inject(Fault(Kind.LENGTH, content_tokens=2000))
    reply = await http.post("/chat/completions", json=a_chat(thinking={"type": "disabled"}))
    assert len(chunks_in(reply.text)) > 2000


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.CLOSE, Kind.EOF_WITHOUT_DONE])
async def test_an_answer_that_is_not_streamed_can_be_lost_as_well(
    simulator: Running, http: httpx.AsyncClient, kind: Kind
) -> None:
    simulator.inject(Fault(kind))
    try:
        reply = await http.post("/chat/completions", json=a_chat(stream=False))
    except httpx.TransportError:
        assert kind is not Kind.EOF_WITHOUT_DONE
    else:
        assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("then", [None, Kind.RESET])
async def test_a_stream_is_held_until_its_fault_is_taken_away_and_then_goes_on_or_breaks(
    simulator: Running, http: httpx.AsyncClient, then: Kind | None
) -> None:
    held = simulator.inject(Fault(Kind.HOLD, after_chunks=4))
    if then:
        simulator.inject(Fault(then, after_chunks=4))
    seen: list[int] = []

    def let_go(text: str) -> None:
        seen.append(len(chunks_in(text)))
        if seen[-1] == 4:
            assert simulator.faults.remove(held.id)

    text, error = await read_until_broken(http, on_text=let_go)
    assert 4 in seen
    assert error is (httpx.ReadError if then else None)
    assert ("[DONE]" in text) is not bool(then)
    if not then:
        assert text_in(chunks_in(text)) == expected_text(a_chat())


@pytest.mark.parametrize("body", [a_chat(), a_chat(stream=False)], ids=["streamed", "whole"])
@pytest.mark.parametrize("after_chunks", [0, 4, None])
async def test_who_holds_an_answer_decides_how_long_until_its_seconds_are_over(
    simulator: Running, http: httpx.AsyncClient, body: dict[str, Any], after_chunks: int | None
) -> None:
    simulator.inject(Fault(Kind.HOLD, after_chunks=after_chunks, times=1))
    with pytest.raises(httpx.ReadTimeout):
        await http.post("/chat/completions", json=body, timeout=httpx.Timeout(10, read=0.3))
    simulator.inject(Fault(Kind.HOLD, after_chunks=after_chunks, seconds=0.01))
    reply = await http.post("/chat/completions", json=body)
    assert reply.text.rstrip().endswith("data: [DONE]" if body["stream"] else "}")
