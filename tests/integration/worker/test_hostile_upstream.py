"""Whatever an upstream sends, a call ends in an error of the closed set, in bounded time and memory.

Each row of `ATTACKS` is a server on a bare socket, the code that its call ends with, and the most bytes that
the client may have taken by then: what it has not taken, it can't hold.
"""

import asyncio
import gzip
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import MAX_REPLY_BYTES
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.deepseek import Clocks
from fleet_worker.deepseek.sse import MAX_LINE_BYTES
from harness.caller import dead_letters
from harness.deepseek_calls import chat, complete, failed
from harness.house import a_house
from harness.raw_upstream import HEAD, Answer, Wire, a_client_of, raw_upstream
from harness.upstream import chat_stream, chunk, event

pytestmark = pytest.mark.sockets

KIB, MIB = 1024, 1024 * 1024
SOCKETS = 16 * MIB
"""What the sockets of both sides and the client's read buffer may hold."""
PATIENCE_S = 60.0
SOON = Clocks(headers_s=0.5, first_content_s=0.5, gap_s=0.5, after_finish_s=0.5, total_s=20)
QUICK = Clocks(headers_s=0.5, first_content_s=0.5, gap_s=0.5, after_finish_s=0.5, total_s=0.5)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
INTERRUPTED, TIMEOUT = ErrorCode.UPSTREAM_INTERRUPTED, ErrorCode.UPSTREAM_TIMEOUT
UNAVAILABLE, TOO_LARGE = ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.TOO_LARGE
EITHER = (UNAVAILABLE, INTERRUPTED)
"""Where what is wrong may come in one piece with the head, before an answer has begun."""
DEEP = b'{"a":' * 300 + b"1" + b"}" * 300


@dataclass(frozen=True)
class Attack:
    answer: Answer
    code: ErrorCode | tuple[ErrorCode, ...]
    most_bytes: int = 64 * KIB
    stream: bool = True
    clocks: Clocks | None = None

    def watched_by(self) -> Clocks:
        return self.clocks or (SOON if self.code is TIMEOUT else Clocks())


def sends(*pieces: bytes, hangs_up: bool = True) -> Answer:
    async def answer(wire: Wire) -> None:
        await wire.send(*pieces)
        if hangs_up:
            await wire.hang_up()
        else:
            await asyncio.Event().wait()

    return answer


def streams(*pieces: bytes) -> Answer:
    """A whole chunked answer with these bytes in it."""

    async def answer(wire: Wire) -> None:
        await wire.send(HEAD)
        await wire.chunk(*pieces, b"")

    return answer


def streams_for_ever(piece: bytes, pause_s: float | None = None, *, first: bytes = b"") -> Answer:
    async def answer(wire: Wire) -> None:
        await wire.send(HEAD)
        if first:
            await wire.chunk(first)
        await wire.chunk_for_ever(piece, pause_s)

    return answer


def streams_counted(make: Callable[[int], dict[str, Any]]) -> Answer:
    """Events for ever, none like the other."""

    async def answer(wire: Wire) -> None:
        await wire.send(HEAD)
        number = 0
        while True:
            await wire.chunk(b"".join(event(make(number + each)) for each in range(200)))
            number += 200

    return answer


def sends_for_ever(head: bytes, piece: bytes, pause_s: float | None = None) -> Answer:
    async def answer(wire: Wire) -> None:
        await wire.send(head)
        await wire.send_for_ever(piece, pause_s)

    return answer


def answers(document: Any) -> Answer:
    """A whole unstreamed answer."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return sends(PLAIN + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def a_choice(**changes: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi"}, **changes}]}


WRONG_CHOICES: tuple[dict[str, Any], ...] = (
    {"finish_reason": []},
    {"finish_reason": {}},
    {"finish_reason": None},
    {"finish_reason": "\x1b[2J"},
    {"message": 7},
    {"message": []},
    {"message": {"content": 7}},
    {"message": {"content": ["a"]}},
    {"message": {"content": "a", "reasoning_content": {}}},
    {"message": {"tool_calls": 7}},
    {"message": {"tool_calls": [7]}},
    {"message": {"tool_calls": [{}]}},
    {"message": {"tool_calls": [{"function": {"arguments": 7}}]}},
)

ATTACKS: dict[str, Attack] = {
    # no end
    "a line that never ends": Attack(
        streams_for_ever(b"data: " + b"x" * 65_536), INTERRUPTED, MAX_LINE_BYTES
    ),
    "an event that never ends": Attack(
        streams_for_ever(b"data: xxxxxxxxx\n" * 4096), INTERRUPTED, 2 * MAX_LINE_BYTES
    ),
    "an event of endless empty lines": Attack(
        streams_for_ever(b"data:\n" * 8192), INTERRUPTED, 7 * MAX_LINE_BYTES
    ),
    "keep-alives for ever": Attack(streams_for_ever(b": keep-alive\n\n", 0.01), TIMEOUT),
    "empty deltas for ever": Attack(streams_for_ever(event(chunk({"content": ""})), 0.01), TIMEOUT),
    "text for ever": Attack(
        streams_for_ever(event(chunk({"content": "x" * 4096}))), TOO_LARGE, 2 * MAX_REPLY_BYTES
    ),
    "new fields for ever": Attack(
        streams_counted(lambda number: {**chunk({}), f"field-{number}": "x" * 1000}),
        TOO_LARGE,
        4 * MAX_REPLY_BYTES,
    ),
    "new fields of the message for ever": Attack(
        streams_counted(lambda number: chunk({f"field-{number}": {"a": "x" * 1000}})),
        TOO_LARGE,
        4 * MAX_REPLY_BYTES,
    ),
    "new tool calls for ever": Attack(
        streams_counted(
            lambda number: chunk(
                {"tool_calls": [{"index": number, "id": "x" * 1000, "function": {"name": "f"}}]}
            )
        ),
        TOO_LARGE,
        4 * MAX_REPLY_BYTES,
    ),
    "log probabilities for ever": Attack(
        streams_counted(
            lambda _: {
                "choices": [{"index": 0, "delta": {}, "logprobs": {"content": [{"token": "x" * 1000}]}}]
            }
        ),
        TOO_LARGE,
        4 * MAX_REPLY_BYTES,
    ),
    "text after its end, for ever": Attack(
        streams_for_ever(b": more\n\n", 0.01, first=event(chunk({"content": "Hi"}, "stop"))), TIMEOUT
    ),
    "a gigabyte in one document": Attack(
        sends_for_ever(PLAIN + b"Content-Length: 1073741824\r\n\r\n", b"x" * 65_536),
        TOO_LARGE,
        MAX_REPLY_BYTES,
        stream=False,
    ),
    "a gigabyte of blank lines": Attack(
        sends_for_ever(PLAIN + b"Connection: close\r\n\r\n", b"\n" * 65_536),
        TOO_LARGE,
        MAX_REPLY_BYTES,
        stream=False,
    ),
    "a gigabyte in a refusal": Attack(
        sends_for_ever(b"HTTP/1.1 503 Busy\r\nContent-Length: 1073741824\r\n\r\n", b"x" * 65_536),
        UNAVAILABLE,
        MIB,
    ),
    "headers for ever": Attack(
        sends_for_ever(b"HTTP/1.1 200 OK\r\n", b"x-more: y\r\n" * 1000), UNAVAILABLE, MIB
    ),
    "a header line that never ends": Attack(
        sends_for_ever(b"HTTP/1.1 200 OK\r\nx-more: ", b"y" * 65_536), UNAVAILABLE, MIB
    ),
    "a status line that never ends": Attack(
        sends_for_ever(b"HTTP/1.1 200 ", b"O" * 65_536), UNAVAILABLE, MIB
    ),
    "interim answers for ever": Attack(
        sends_for_ever(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.01), TIMEOUT
    ),
    # slow
    "one byte now and then": Attack(streams_for_ever(b"d", 0.02), TIMEOUT),
    "one byte of the head now and then": Attack(sends_for_ever(b"HTTP/1.1 ", b"2", 0.02), UNAVAILABLE),
    "one byte of a document now and then": Attack(
        sends_for_ever(PLAIN + b"Connection: close\r\n\r\n", b" ", 0.02), TIMEOUT, stream=False, clocks=QUICK
    ),
    "nothing after the head": Attack(sends(HEAD, hangs_up=False), TIMEOUT),
    # broken
    "a chunk whose size is no number": Attack(sends(HEAD + b"zz\r\nhello\r\n"), EITHER),
    "a chunk whose size overflows": Attack(sends(HEAD + b"f" * 40 + b"\r\nhello\r\n"), EITHER),
    "a chunk that is shorter than it says": Attack(sends(HEAD + b"ff\r\ndata: {}\n\n"), INTERRUPTED),
    "a chunk that is longer than it says": Attack(sends(HEAD + b"1\r\ndata: {}\n\n\r\n"), EITHER),
    "fewer bytes than the length says": Attack(
        sends(PLAIN + b"Content-Length: 100\r\n\r\n{}"), INTERRUPTED, stream=False
    ),
    "more bytes than the length says": Attack(
        sends(PLAIN + b"Content-Length: 2\r\n\r\n{}" + orjson.dumps(a_choice())), EITHER, stream=False
    ),
    "a length that is no number": Attack(sends(PLAIN + b"Content-Length: many\r\n\r\n{}"), UNAVAILABLE),
    "two lengths": Attack(sends(PLAIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), UNAVAILABLE),
    "no end of the stream": Attack(
        sends(PLAIN + b"Connection: close\r\n\r\n" + chat_stream()[0]), INTERRUPTED
    ),
    "broken UTF-8": Attack(streams(b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n'), INTERRUPTED),
    "a lone surrogate": Attack(
        streams(b'data: {"choices":[{"delta":{"content":"\\ud800"}}]}\n\n'), INTERRUPTED
    ),
    "broken UTF-8 in a document": Attack(answers(b'{"choices":"\xff"}'), INTERRUPTED, stream=False),
    "no JSON": Attack(streams(b"data: hello\n\n"), INTERRUPTED),
    "a document that is nested too deep": Attack(
        answers(b'{"x":' + DEEP + b"," + orjson.dumps(a_choice())[1:]), INTERRUPTED, stream=False
    ),
    "a document without a bottom": Attack(answers(b"[" * 500_000), INTERRUPTED, 2 * MIB, stream=False),
    "an event that is nested too deep": Attack(
        streams(
            b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"a":' + DEEP + b"}}]}}]}\n\n",
            *chat_stream(),
        ),
        INTERRUPTED,
    ),
    # of other shapes than the API's
    **{
        f"a stream of {text.decode()}": Attack(streams(b"data: " + text + b"\n\n"), INTERRUPTED)
        for text in (
            b"7",
            b"[]",
            b'"text"',
            b'{"choices":7}',
            b'{"choices":[7]}',
            b'{"choices":[{"delta":[]}]}',
            b'{"choices":[{"delta":{"content":{}}}]}',
            b'{"choices":[{"delta":{"tool_calls":[{"index":"a"}]}}]}',
            b'{"choices":[{"delta":{},"logprobs":7}]}',
            b'{"usage":7,"choices":[]}',
            b'{"error":[[]]}',
        )
    },
    **{
        f"a document with {orjson.dumps(changes).decode()}": Attack(
            answers(a_choice(**changes)), INTERRUPTED, stream=False
        )
        for changes in WRONG_CHOICES
    },
    **{
        f"a document with a usage of {orjson.dumps(usage).decode()}": Attack(
            answers({**a_choice(), "usage": usage}), INTERRUPTED, stream=False
        )
        for usage in (
            7,
            [7],
            {"prompt_tokens": "many"},
            {"completion_tokens": -1},
            {"completion_tokens": 1.5},
            {"prompt_cache_hit_tokens": {"a": 1}},
            {"completion_tokens": 10**18},
        )
    },
    # elsewhere
    **{
        f"a redirect by {status}": Attack(
            sends(b"HTTP/1.1 %d Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n" % status),
            UNAVAILABLE,
        )
        for status in (301, 302, 303, 307, 308)
    },
    "another protocol": Attack(sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), UNAVAILABLE),
    # compressed, though nobody asked for it
    "gzip that is none": Attack(
        sends(PLAIN + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + b"x" * 100),
        UNAVAILABLE,
        stream=False,
    ),
    "a coding that nobody knows": Attack(
        sends(PLAIN + b"Content-Encoding: pack200-gzip\r\nContent-Length: 2\r\n\r\n{}"),
        UNAVAILABLE,
        stream=False,
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_whatever_an_upstream_sends_its_call_ends_in_time_and_with_its_code(name: str):
    attack = ATTACKS[name]
    async with (
        asyncio.timeout(PATIENCE_S),
        a_client_of(attack.answer, clocks=attack.watched_by()) as (upstream, deepseek),
    ):
        error = await failed(deepseek, chat(stream=attack.stream))
        codes = attack.code if isinstance(attack.code, tuple) else (attack.code,)
        assert error.code in codes, error
        assert upstream.sent <= attack.most_bytes + SOCKETS
        assert upstream.calls == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_so_neither_key_nor_prompt_goes_elsewhere(status: int):
    async with raw_upstream(sends(PLAIN + b"Content-Length: 2\r\n\r\n{}")) as elsewhere:
        head = b"HTTP/1.1 %d Go\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n"
        async with a_client_of(sends(head % (status, elsewhere.url.encode()))) as (upstream, deepseek):
            error = await failed(deepseek)
        assert (upstream.calls, elsewhere.connections) == (1, 0)
    assert error.code is UNAVAILABLE
    assert "DEEPSEEK_BASE_URL" in error.message


async def test_a_proxy_in_the_environment_gets_no_call(monkeypatch: pytest.MonkeyPatch):
    async with raw_upstream(sends(PLAIN + b"Content-Length: 2\r\n\r\n{}")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
        async with a_client_of(sends(answer)) as (upstream, deepseek):
            await failed(deepseek)
        assert (upstream.calls, proxy.connections) == (1, 0)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("status", [b"200 OK", b"503 Busy"])
async def test_a_bomb_that_unpacks_to_a_gigabyte_is_never_unpacked(status: bytes, *, streamed: bool):
    bomb = gzip.compress(b"\n" * MIB) * 1024
    head = b"HTTP/1.1 %b\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (status, len(bomb))
    async with a_client_of(sends(head, bomb)) as (_, deepseek):
        tracemalloc.start()
        try:
            error = await failed(deepseek, chat(stream=streamed))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert error.code in {INTERRUPTED, UNAVAILABLE, TOO_LARGE}
    assert peak < 48 * MIB


async def test_what_follows_an_answer_unasked_is_no_answer_to_the_next_call():
    async def smuggle(wire: Wire) -> None:
        body = orjson.dumps(a_choice())
        forged = orjson.dumps(a_choice(message={"content": "FORGED"}))
        for document in (body, forged):
            await wire.send(PLAIN + b"Content-Length: %d\r\n\r\n" % len(document) + document)

    async with a_client_of(smuggle, answers(a_choice(message={"content": "own"}))) as (_, deepseek):
        first, _ = await complete(deepseek, chat(stream=False))
        await asyncio.sleep(0.1)
        texts = [text_in(first)]
        with suppress(CompletionError):  # as the connection was closed meanwhile
            second, _ = await complete(deepseek, chat(stream=False))
            texts.append(text_in(second))
    assert texts in (["Hi"], ["Hi", "own"])


def text_in(completion: Completion) -> str:
    return completion.response["choices"][0]["message"]["content"]


async def test_a_worker_outlives_a_hostile_upstream_and_answers_the_next_request(fleet_vhost: str):
    asked = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Still there?"}]}
    hostile = [
        streams(b"data: " + DEEP + b"\n\n", *chat_stream()),
        answers(a_choice(finish_reason=[])),
        answers(a_choice(message={"tool_calls": [{}]})),
        sends(HEAD + b"zz\r\n"),
    ]
    async with (
        raw_upstream(*hostile, answers(a_choice())) as upstream,
        a_house(fleet_vhost, DEEPSEEK_BASE_URL=upstream.url, attempts=1) as house,
    ):
        for number in range(len(hostile)):
            await house.caller.ask({**asked, "stream": number in {0, 3}})
            failure = (await house.caller.until_end())[-1]
            assert failure["code"] in {"upstream_interrupted", "upstream_unavailable"}
        await house.caller.ask(asked)
        assert (await house.caller.until_end())[-1]["kind"] == "result"
        assert await dead_letters(house.url) == []
