"""The messages of a stream, byte for byte."""

from typing import Any

import orjson
import pytest

from fleet_simulator.answers import Answer, ToolCall
from fleet_simulator.chunks import DONE, Envelope, chat_count, chat_messages, fim_count, fim_messages
from fleet_simulator.documents import chat_document
from fleet_simulator.usage import usage_of

ENVELOPE = Envelope("23d01db0-7b76-413e-b4fd-b0bf3362f996", 1781233924, "deepseek-flash")
HEAD = (
    '{"id":"23d01db0-7b76-413e-b4fd-b0bf3362f996","object":"chat.completion.chunk","created":1781233924,'
    '"model":"deepseek-flash","system_fingerprint":"aeb56401ca74e127821c4f9126dcb669","choices":[{"index":0,'
)
THOUGHT = Answer(("Hm", " 漢"), ("Hé", "!"))
PLAIN = Answer(None, ("Hé", "!"))
CALLING = Answer((), (), ToolCall("call_00_x", "f", ('{"a', '":1}')), "tool_calls")


def lines(answer: Answer, **changes: bool) -> list[str]:
    envelope = Envelope(ENVELOPE.id, ENVELOPE.created, ENVELOPE.model, **changes)
    sent = b"".join(chat_messages(envelope, answer, usage_of(answer, 10)))
    assert sent.endswith(b"\n\n")
    return sent.decode().removesuffix("\n\n").split("\n\n")


def deltas(answer: Answer) -> list[dict[str, Any]]:
    chunks = [orjson.loads(line.removeprefix("data: ")) for line in lines(answer)[:-1]]
    return [chunk["choices"][0]["delta"] for chunk in chunks]


def test_a_thinking_stream_has_the_exact_bytes_of_the_real_one() -> None:
    rest = ',"logprobs":null,"finish_reason":null}],"usage":null}'
    assert lines(THOUGHT, include_usage=True) == [
        f'data: {HEAD}"delta":{{"role":"assistant","content":null,"reasoning_content":""}}{rest}',
        f'data: {HEAD}"delta":{{"content":null,"reasoning_content":"Hm"}}{rest}',
        f'data: {HEAD}"delta":{{"content":null,"reasoning_content":" 漢"}}{rest}',
        f'data: {HEAD}"delta":{{"content":"Hé","reasoning_content":null}}{rest}',
        f'data: {HEAD}"delta":{{"content":"!","reasoning_content":null}}{rest}',
        (
            f'data: {HEAD}"delta":{{"content":"","reasoning_content":null}},"logprobs":null,'
            '"finish_reason":"stop"}],'
            '"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,'
            '"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":2},'
            '"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":10}}'
        ),
        "data: [DONE]",
    ]


def test_a_plain_stream_never_names_reasoning() -> None:
    assert deltas(PLAIN) == [
        {"role": "assistant", "content": ""},
        {"content": "Hé"},
        {"content": "!"},
        {"content": ""},
    ]
    assert not any("reasoning" in line for line in lines(PLAIN))


def test_usage_is_on_the_last_chunk_even_when_not_asked_for() -> None:
    chunks = [orjson.loads(line.removeprefix("data: ")) for line in lines(PLAIN)[:-1]]
    assert [chunk.get("usage") is not None for chunk in chunks] == [False, False, False, True]
    assert not any("usage" in chunk for chunk in chunks[:-1])


def test_usage_can_come_in_a_chunk_of_its_own() -> None:
    last_two = lines(PLAIN, trailing_usage=True)[-3:-1]
    finish, usage = [orjson.loads(line.removeprefix("data: ")) for line in last_two]
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert finish["usage"] is None
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 12


def test_a_tool_call_opens_with_its_name_and_goes_on_in_fragments() -> None:
    opening = {"index": 0, "id": "call_00_x", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert deltas(CALLING)[1:-1] == [
        {"tool_calls": [opening]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '":1}'}}]},
    ]


@pytest.mark.parametrize("answer", [THOUGHT, PLAIN, CALLING], ids=["thinking", "plain", "tool call"])
@pytest.mark.parametrize("trailing", [False, True])
def test_the_count_of_messages_is_known_before_they_are_made(answer: Answer, *, trailing: bool) -> None:
    assert chat_count(answer, trailing=trailing) == len(lines(answer, trailing_usage=trailing))


def test_a_fim_stream_carries_text_and_no_delta() -> None:
    sent = list(fim_messages(ENVELOPE, PLAIN, usage_of(PLAIN, 10)))
    chunks = [orjson.loads(message.removeprefix(b"data: ")) for message in sent[:-1]]
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["Hé", "!", ""]
    assert chunks[-1]["usage"]["completion_tokens"] == 2
    assert sent[-1] == DONE
    assert fim_count(PLAIN, trailing=False) == len(sent)


def test_reasoning_tokens_have_a_list_of_log_probabilities_of_their_own() -> None:
    envelope = Envelope("id", 1, "deepseek-flash", logprobs=2)
    document: Any = chat_document(envelope, THOUGHT, usage_of(THOUGHT, 10))
    found = document["choices"][0]["logprobs"]
    assert [entry["token"] for entry in found["reasoning_content"]] == ["Hm", " 漢"]
    assert [bytes(entry["bytes"]).decode() for entry in found["content"]] == ["Hé", "!"]
    assert all(len(entry["top_logprobs"]) == 2 for entry in found["content"])


def test_streamed_log_probabilities_are_those_of_the_whole_answer() -> None:
    envelope = Envelope("id", 1, "deepseek-flash", logprobs=1)
    streamed: dict[str, list[Any]] = {"content": [], "reasoning_content": []}
    for message in list(chat_messages(envelope, THOUGHT, usage_of(THOUGHT, 10)))[:-1]:
        found: dict[str, Any] = orjson.loads(message[6:])["choices"][0]["logprobs"] or {}
        for name, entries in found.items():
            streamed[name] += entries or []
    document: Any = chat_document(envelope, THOUGHT, usage_of(THOUGHT, 10))
    assert streamed == document["choices"][0]["logprobs"]


def test_with_thinking_off_usage_has_no_details_of_completion() -> None:
    assert "completion_tokens_details" not in usage_of(PLAIN, 10).as_json()
    assert "reasoning_content" not in str(chat_document(ENVELOPE, PLAIN, usage_of(PLAIN, 10)))


def test_cache_hits_and_misses_add_up_to_the_prompt() -> None:
    usage: Any = usage_of(THOUGHT, 300, cached_tokens=256).as_json()
    assert usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"] == usage["prompt_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 256
    assert usage["total_tokens"] == 304
