"""Chunks in, deltas and a whole answer out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.grammar import RequestType
from fleet_worker.completion import Delta
from fleet_worker.deepseek.assembly import Assembly
from fleet_worker.deepseek.shapes import ShapeError
from harness.upstream import chunk

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def assembled(*chunks: dict[str, Any], type_: RequestType = RequestType.CHAT) -> tuple[list[Delta], Any]:
    assembly = Assembly(type_)
    deltas = [delta for delta in map(assembly.add, chunks) if delta]
    return deltas, assembly.response()


def message(response: Any) -> Any:
    return response["choices"][0]["message"]


def with_logprobs(delta: dict[str, Any], logprobs: dict[str, Any]) -> dict[str, Any]:
    made = chunk(delta)
    made["choices"][0]["logprobs"] = logprobs
    return made


def call(index: int | None = 0, arguments: str = "", **more: Any) -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": arguments}
    if name := more.pop("name", None):
        function["name"] = name
    return {**({} if index is None else {"index": index}), "function": function, **more}


def test_a_thinking_stream_becomes_the_answer_that_comes_unstreamed() -> None:
    deltas, response = assembled(
        chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
        chunk({"content": None, "reasoning_content": "Hm"}),
        chunk({"content": None, "reasoning_content": "."}),
        chunk({"content": "Yes", "reasoning_content": None}),
        chunk({"content": "", "reasoning_content": None}, "stop", usage=USAGE),
    )
    assert [delta.fields for delta in deltas] == [
        {"reasoning_content": "Hm"},
        {"reasoning_content": "."},
        {"content": "Yes"},
    ]
    assert response == {
        "id": "23d01db0",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": "deepseek-flash",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Yes", "reasoning_content": "Hm."},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


def test_without_thinking_there_is_no_reasoning_field() -> None:
    _, response = assembled(chunk({"role": "assistant", "content": ""}), chunk({"content": "Hi"}, "stop"))
    assert message(response) == {"role": "assistant", "content": "Hi"}


def test_usage_of_a_trailing_chunk_is_kept() -> None:
    _, response = assembled(
        chunk({"content": "Hi"}, "stop", usage=None),
        {**chunk(usage=USAGE), "choices": []},
    )
    assert response["usage"] == USAGE
    assert message(response)["content"] == "Hi"


def test_usage_on_the_last_chunk_outlives_a_null_behind_it() -> None:
    _, response = assembled(chunk({"content": "Hi"}, "stop", usage=USAGE), chunk(usage=None))
    assert response["usage"] == USAGE


def test_tool_calls_are_joined_by_index_and_keep_it() -> None:
    deltas, response = assembled(
        chunk({"role": "assistant", "content": ""}),
        chunk({"tool_calls": [call(0, id="call_00_a", type="function", name="now")]}),
        chunk({"tool_calls": [call(1, id="call_01_b", type="function", name="then")]}),
        chunk({"tool_calls": [call(0, '{"a":'), call(1, "{")]}),
        chunk({"tool_calls": [call(0, "1}"), call(1, "}")]}),
        chunk({"content": ""}, "tool_calls"),
    )
    assert message(response) == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "index": 0,
                "id": "call_00_a",
                "type": "function",
                "function": {"name": "now", "arguments": '{"a":1}'},
            },
            {
                "index": 1,
                "id": "call_01_b",
                "type": "function",
                "function": {"name": "then", "arguments": "{}"},
            },
        ],
    }
    assert deltas[2].fields == {"tool_calls": [call(0, '{"a":'), call(1, "{")]}


def test_later_fragments_do_not_wipe_out_a_call_s_id_and_name() -> None:
    empty = {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": "}"}}
    _, response = assembled(
        chunk({"tool_calls": [call(0, "{", id="a", name="now")]}),
        chunk({"tool_calls": [empty]}, "tool_calls"),
    )
    [made] = message(response)["tool_calls"]
    assert made == {
        "index": 0,
        "id": "a",
        "type": "function",
        "function": {"name": "now", "arguments": "{}"},
    }


def test_a_tool_call_without_an_index_is_the_first_one() -> None:
    _, response = assembled(
        chunk({"tool_calls": [call(None, "{", id="a", name="now")]}),
        chunk({"tool_calls": [call(None, "}")]}, "tool_calls"),
    )
    assert [each["function"]["arguments"] for each in message(response)["tool_calls"]] == ["{}"]


def test_log_probabilities_of_text_and_of_reasoning_are_joined_apart() -> None:
    deltas, response = assembled(
        with_logprobs({"reasoning_content": "Hm"}, {"content": None, "reasoning_content": [{"token": "Hm"}]}),
        with_logprobs({"content": "Y"}, {"content": [{"token": "Y"}], "reasoning_content": None}),
        with_logprobs({"content": "es"}, {"content": [{"token": "es"}], "reasoning_content": None}),
        chunk({"content": ""}, "stop"),
    )
    assert response["choices"][0]["logprobs"] == {
        "content": [{"token": "Y"}, {"token": "es"}],
        "reasoning_content": [{"token": "Hm"}],
    }
    assert deltas[1].logprobs == {"content": [{"token": "Y"}], "reasoning_content": None}


def test_a_token_without_text_still_hands_on_its_log_probability() -> None:
    deltas, _ = assembled(with_logprobs({"content": ""}, {"content": [{"token": "\\xf0"}]}))
    assert deltas == [Delta({}, {"content": [{"token": "\\xf0"}]})]


def test_unknown_fields_are_kept_where_they_were() -> None:
    first, last = (
        chunk({"content": "Hi", "refusal": "no"}),
        chunk({"refusal": "pe"}, "stop", service_tier="x"),
    )
    last["choices"][0]["matched_stop"] = "END"
    deltas, response = assembled(first, last)
    assert response["service_tier"] == "x"
    assert response["choices"][0]["matched_stop"] == "END"
    assert message(response)["refusal"] == "nope"
    assert deltas[0].fields == {"content": "Hi", "refusal": "no"}


def test_a_fim_stream_becomes_a_text_completion() -> None:
    def piece(text: str, finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
        return {"id": "1", "object": "text_completion", "model": "m", "choices": [choice], **more}

    deltas, response = assembled(
        piece("def"), piece(" f"), piece("", "stop", usage=USAGE), type_=RequestType.FIM
    )
    assert [delta.fields for delta in deltas] == [{"content": "def"}, {"content": " f"}]
    choice = {"index": 0, "text": "def f", "logprobs": None, "finish_reason": "stop"}
    assert response == {
        "id": "1",
        "object": "text_completion",
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
    }


def test_the_partial_text_names_only_fields_that_have_some() -> None:
    assembly = Assembly(RequestType.CHAT)
    assembly.add(chunk({"role": "assistant", "content": None, "reasoning_content": ""}))
    assembly.add(chunk({"content": None, "reasoning_content": "Hm"}))
    assert assembly.partial() == {"reasoning_content": "Hm"}


@pytest.mark.parametrize(
    "broken",
    [
        {"choices": "none"},
        {"choices": ["none"]},
        chunk() | {"choices": [{"delta": "text"}]},
        chunk({"content": 5}),
        chunk({"tool_calls": "f"}),
        chunk({"tool_calls": ["f"]}),
        chunk({"tool_calls": [{"index": "0"}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": {"a": 1}}}]}),
        chunk() | {"usage": "much"},
    ],
)
def test_a_chunk_of_another_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ShapeError):
        Assembly(RequestType.CHAT).add(broken)


_NAMES = ["role", "content", "reasoning_content", "tool_calls", "index", "function", "arguments", "other"]
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3),
    max_leaves=8,
)
_CHOICES = ["delta", "text", "logprobs", "finish_reason"]
_WILD: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from(["id", "usage", "choices"]),
    _JSON | st.lists(st.dictionaries(st.sampled_from(_CHOICES), _JSON), min_size=1, max_size=2),
)


@given(chunks=st.lists(_WILD, max_size=4), type_=st.sampled_from(RequestType))
def test_whatever_the_upstream_sends_is_read_or_refused(chunks: list[Any], type_: RequestType) -> None:
    assembly = Assembly(type_)
    for each in chunks:
        try:
            assembly.add(each)
        except ShapeError:
            break
    assembly.partial()
    assembly.response()


@given(texts=st.lists(st.text(min_size=1), min_size=1))
def test_the_deltas_joined_are_the_text_of_the_answer(texts: list[str]) -> None:
    deltas, response = assembled(*(chunk({"content": text}) for text in texts), chunk({}, "stop"))
    assert [delta.fields["content"] for delta in deltas] == texts
    assert message(response)["content"] == "".join(texts)
