import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import RequestType
from fleet_simulator.answers import expected_text
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.continuing import SoFar, continued, joined, may_continue
from harness.requests import BODY, a_request, a_response

STREAMED = {**BODY, "stream": True}
SAID = SoFar({"content": "Hello wor"}, pieces=3)


def broken(content: str, usage: dict[str, Any] | None = None, reasoning: str = "") -> CompletionError:
    partial = {"content": content, "reasoning_content": reasoning}
    return CompletionError(
        ErrorCode.UPSTREAM_INTERRUPTED,
        "cut",
        again=True,
        partial={name: text for name, text in partial.items() if text},
        usage=usage,
        first_content_ms=40,
        upstream_ms=100,
    )


def rest(content: str, **more: Any) -> Completion:
    return Completion(a_response(content, **more), trace_id="t", first_content_ms=5, upstream_ms=50)


def test_the_text_so_far_becomes_the_beginning_of_the_answer():
    request = continued(a_request(body=STREAMED), SAID)
    last = {"role": "assistant", "content": "Hello wor", "prefix": True}
    assert request.body["messages"] == [*BODY["messages"], last]
    assert json.loads(request.payload) == request.body


def test_what_the_model_thought_goes_with_it():
    request = continued(a_request(body=STREAMED), SoFar({"content": "He", "reasoning_content": "Hm"}))
    assert request.body["messages"][-1]["reasoning_content"] == "Hm"


def test_a_request_that_had_a_prefix_itself_gets_a_longer_one():
    begun = {"role": "assistant", "content": "Say: ", "prefix": True}
    request = continued(a_request(body={**STREAMED, "messages": [*BODY["messages"], begun]}), SAID)
    assert request.body["messages"] == [*BODY["messages"], {**begun, "content": "Say: Hello wor"}]


def test_what_was_written_is_taken_from_the_tokens_left():
    assert continued(a_request(body={**STREAMED, "max_tokens": 100}), SAID).body["max_tokens"] == 97
    assert continued(a_request(body={**STREAMED, "max_tokens": 2}), SAID).body["max_tokens"] == 1
    assert "max_tokens" not in continued(a_request(body=STREAMED), SAID).body


@pytest.mark.parametrize(
    ("changes", "so_far"),
    [
        ({"type": RequestType.FIM}, SAID),
        ({"stream": False}, SAID),
        ({"body": {**STREAMED, "tools": [{"type": "function"}]}}, SAID),
        ({"body": {**STREAMED, "response_format": {"type": "json_object"}}}, SAID),
        ({"body": {**STREAMED, "logprobs": True}}, SAID),
        ({}, SoFar({"reasoning_content": "still thinking"}, pieces=2)),
        ({}, SoFar()),
    ],
)
def test_where_a_prefix_does_not_apply_nothing_is_continued(changes: dict[str, Any], so_far: SoFar):
    assert not may_continue(a_request(**changes), so_far)


def test_a_plain_stream_that_has_begun_to_answer_can_be_continued():
    assert may_continue(a_request(), SAID)


def test_the_whole_answer_is_the_text_sent_and_the_rest():
    so_far = SoFar().after(broken("Hel", reasoning="Hm"), 1).after(broken("lo "), 2)
    whole = joined(so_far, rest("world"))
    assert whole.response["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello world",
        "reasoning_content": "Hm",
    }
    assert (whole.first_content_ms, whole.upstream_ms) == (40, 250)


def test_usage_that_the_upstream_told_is_added_up_and_is_no_estimate():
    told = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8, "details": {"cached": 1}}
    whole = joined(SoFar().after(broken("Hel", told), 3), rest("lo"))
    usage = whole.response["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (10, 12, 22)
    assert usage["details"] == {"cached": 1}
    assert not whole.estimated


def test_usage_that_nobody_told_is_estimated_and_said_to_be():
    whole = joined(SoFar().after(broken("Hel"), 3), rest("lo"))
    usage = whole.response["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (5 + 2, 9 + 3)
    assert whole.estimated


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5), st.text(max_size=5))
def test_however_often_it_breaks_no_text_is_lost_or_doubled(parts: list[str], end: str):
    so_far = SoFar()
    for part in parts:
        so_far = so_far.after(broken(part), 1)
    assert joined(so_far, rest(end)).response["choices"][0]["message"]["content"] == "".join(parts) + end


def test_the_simulator_goes_on_from_a_prefix_exactly_where_it_ended():
    text = expected_text(STREAMED)[1]
    request = continued(a_request(body=STREAMED), SoFar({"content": text[:20]}))
    assert expected_text(request.body)[1] == text[20:]
