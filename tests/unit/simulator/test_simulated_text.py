"""What the simulated model says: steady, readable, and the sum of its parts."""

import itertools
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from fleet_simulator import Lengths, expected_completion, expected_text
from fleet_simulator.answers import Answer, compose
from fleet_simulator.config import DEFAULT_LENGTHS
from fleet_simulator.requests import chat_request
from fleet_simulator.text import subject_of
from fleet_simulator.tokens import split

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
        },
    },
}


def a_chat(question: str = "How do quorum queues work?", **changes: Any) -> dict[str, Any]:
    return {"model": "deepseek-flash", "messages": [{"role": "user", "content": question}], **changes}


def a_continuation(**assistant: str) -> dict[str, Any]:
    chat = a_chat()
    chat["messages"] = [*chat["messages"], {"role": "assistant", "prefix": True, **assistant}]
    return chat


@given(st.text())
def test_splitting_into_tokens_loses_nothing(text: str) -> None:
    assert "".join(split(text)) == text


@given(st.text(max_size=300))
def test_the_same_question_gets_the_same_answer(question: str) -> None:
    assert expected_text(a_chat(question)) == expected_text(a_chat(question))


def test_another_question_gets_another_answer() -> None:
    assert expected_text(a_chat("What is a queue?")) != expected_text(a_chat("What is an exchange?"))


def test_how_the_answer_is_sent_does_not_change_it() -> None:
    streamed = a_chat(stream=True, stream_options={"include_usage": True}, max_tokens=100_000)
    assert expected_text(streamed) == expected_text(a_chat())


def test_an_answer_talks_about_the_question_and_has_long_characters() -> None:
    reasoning, content = expected_text(a_chat())
    assert "How do quorum queues work?" in reasoning
    assert "quorum queues" in content
    assert len(content.encode()) > len(content)


def test_with_thinking_off_there_is_no_reasoning() -> None:
    assert expected_text(a_chat(thinking={"type": "disabled"}))[0] == ""
    assert expected_text(a_chat(reasoning_effort="none"))[0] == ""


@given(st.integers(1, 400))
def test_max_tokens_is_shared_by_reasoning_and_answer(most: int) -> None:
    whole = compose(chat_request(a_chat()), DEFAULT_LENGTHS)
    cut = compose(chat_request(a_chat(max_tokens=most)), DEFAULT_LENGTHS)
    assert cut.completion_tokens == min(most, whole.completion_tokens)
    assert cut.finish_reason == ("stop" if most >= whole.completion_tokens else "length")
    assert _said(whole)[:most] == _said(cut)


def _said(answer: Answer) -> tuple[str, ...]:
    return (*(answer.reasoning or ()), *answer.content)


def test_a_small_max_tokens_is_eaten_by_the_reasoning() -> None:
    answer = compose(chat_request(a_chat(max_tokens=5)), DEFAULT_LENGTHS)
    assert answer.content == ()
    assert answer.finish_reason == "length"


@given(st.data())
def test_a_prefix_and_its_continuation_are_the_whole_answer(data: st.DataObject) -> None:
    reasoning, content = expected_text(a_chat())
    at = data.draw(st.integers(1, len(content)))
    more_reasoning, rest = expected_text(a_continuation(content=content[:at], reasoning_content=reasoning))
    assert more_reasoning == ""
    assert content[:at] + rest == content


@given(st.data())
def test_reasoning_that_was_cut_goes_on_where_it_stopped(data: st.DataObject) -> None:
    reasoning, content = expected_text(a_chat())
    at = data.draw(st.integers(1, len(reasoning)))
    rest, answer = expected_text(a_continuation(content="", reasoning_content=reasoning[:at]))
    assert (reasoning[:at] + rest, answer) == (reasoning, content)


def test_the_answer_ends_before_a_stop_string() -> None:
    _, content = expected_text(a_chat())
    stop = content[20:25]
    _, stopped = expected_text(a_chat(stop=["never said", stop]))
    assert stopped == content[: content.index(stop)]


def test_json_mode_answers_with_a_json_document() -> None:
    _, content = expected_text(a_chat("Answer in json", response_format={"type": "json_object"}))
    assert orjson.loads(content)["topic"]


def test_json_mode_fills_in_the_schema_of_a_system_message() -> None:
    class Line(BaseModel):
        what: str
        amount: Decimal
        paid_on: date | None

    class Invoice(BaseModel):
        number: int = Field(ge=1)
        paid: bool
        currency: Literal["EUR", "USD"]
        lines: list[Line]

    schema = orjson.dumps(Invoice.model_json_schema()).decode()
    told = {"role": "system", "content": f"Answer with one json object that fits:\n{schema}\nNothing else."}
    body = a_chat("Read it.", response_format={"type": "json_object"})
    _, content = expected_text({**body, "messages": [told, *body["messages"]]})
    assert Invoice.model_validate_json(content).lines


@pytest.mark.parametrize(
    "told",
    ["As json: {", 'As json: {"colours": []}', "{" * 100_000, '{"type": "object"}', "[" * 9 + '{"a":' * 5000],
)
def test_json_mode_speaks_of_the_subject_where_no_schema_is_told(told: str) -> None:
    body = a_chat("json of Kyoto", response_format={"type": "json_object"})
    _, content = expected_text({**body, "messages": [{"role": "system", "content": told}, *body["messages"]]})
    assert orjson.loads(content)["topic"]


def test_a_tool_is_called_with_arguments_that_fit_its_schema() -> None:
    answer = compose(chat_request(a_chat(tools=[TOOL])), DEFAULT_LENGTHS)
    assert answer.tool_call is not None
    arguments = orjson.loads("".join(answer.tool_call.fragments))
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_call.id.startswith("call_00_")
    assert len(answer.tool_call.id) == len("call_00_oNaYFdzFE2LrYatAn7252220")
    assert isinstance(arguments["city"], str)
    assert 1 <= arguments["days"] <= 7


def test_the_answer_to_a_tools_result_is_text_unless_a_call_is_forced() -> None:
    chat = a_chat(tools=[TOOL])
    call = {"id": "call_00_x", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    chat["messages"] = [
        *chat["messages"],
        {"role": "assistant", "content": "", "reasoning_content": "…", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_00_x", "content": "sunny"},
    ]
    answer = compose(chat_request(chat), DEFAULT_LENGTHS)
    assert answer.tool_call is None
    assert answer.content
    forced = compose(chat_request({**chat, "tool_choice": "required"}), DEFAULT_LENGTHS)
    assert forced.tool_call is not None


def test_the_tool_whose_name_the_question_says_is_called() -> None:
    named = {"type": "function", "function": {"name": "talk_to_a_person"}}
    for question, called in (("Let me talk to a person!", "talk_to_a_person"), ("Kyoto?", "get_weather")):
        answer = compose(chat_request(a_chat(question, tools=[TOOL, named])), DEFAULT_LENGTHS)
        assert answer.tool_call is not None
        assert answer.tool_call.name == called


@given(st.integers(1, 500))
def test_answers_are_as_long_as_asked_for(length: int) -> None:
    answer = compose(chat_request(a_chat()), Lengths((length, length), (length, length)))
    assert length <= answer.reasoning_tokens <= length + 80
    assert length <= len(answer.content) <= length + 80


def test_a_gap_is_filled_with_code() -> None:
    body = {"model": "deepseek-flash", "prompt": "def add(items):\n", "suffix": "    return total\n"}
    assert expected_completion(body).splitlines()
    assert len(split(expected_completion({**body, "max_tokens": 3}))) == 3


def test_no_sentence_is_said_twice_in_a_row() -> None:
    reasoning, _ = expected_text(a_chat(), Lengths((2000, 2000), (1, 1)))
    sentences = reasoning.split(". ")
    assert all(first != second for first, second in itertools.pairwise(sentences))


@pytest.mark.parametrize(
    ("question", "topic", "other"),
    [
        ("How does a lighthouse keep ships safe?", "a lighthouse", "ships"),
        ("Why do leaves change colour in autumn?", "leaves", "colour"),
        ("How do quorum queues survive a broker restart?", "quorum queues", "a broker restart"),
        ("How does photosynthesis convert sunlight?", "photosynthesis", "sunlight"),
        ("Why is the sky blue?", "the sky", "the details"),
        ("Hello", "Hello", "the details"),
        ("", "this question", "the details"),
    ],
)
def test_a_question_is_about_the_things_it_names(question: str, topic: str, other: str) -> None:
    subject = subject_of(question)
    assert (subject.topic, subject.other) == (topic, other)


@given(st.integers(0, 10_000))
def test_sentences_and_paragraphs_are_set_apart_as_a_person_would(number: int) -> None:
    for text in expected_text(a_chat(f"Why do leaves change colour in the autumn of {number}?")):
        assert text == text.strip()
        assert "  " not in text
        assert " \n" not in text
        assert "\n " not in text


def test_most_answers_have_characters_of_two_three_and_four_bytes_between_them() -> None:
    said = [expected_text(a_chat(f"What is lane {number} for?"))[1] for number in range(200)]
    assert sum(not answer.isascii() for answer in said) == 200
    for character in ("é", "€", "漢字", "🙂", "—"):
        assert sum(character in answer for answer in said) > 20, character
