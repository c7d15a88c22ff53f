"""What a result and a chunk carry is what the OpenAI SDK's own types take, so callers can use them."""

from openai.types import Completion
from openai.types.chat import ChatCompletion
from openai.types.chat.chat_completion_chunk import ChoiceDelta, ChoiceLogprobs

from fleet_contracts.printing.examples import Example, Examples


def test_a_response_is_a_completion_of_the_sdk(examples: Examples):
    for example in examples["result.v1"].values():
        response = example["body"]["response"]
        kind = Completion if response["object"] == "text_completion" else ChatCompletion
        read = kind.model_validate(response)
        assert read.model_dump(exclude_unset=True) == response


def test_a_delta_is_a_choice_delta_of_the_sdk(examples: Examples):
    for example in examples["chunk.v1"].values():
        delta = example["body"]["delta"]
        assert ChoiceDelta.model_validate(delta).model_dump(exclude_unset=True) == delta
        if logprobs := example["body"].get("logprobs"):
            assert ChoiceLogprobs.model_validate(logprobs).model_dump(exclude_unset=True) == logprobs


def test_tool_calls_keep_their_ids_and_arguments(examples: Examples):
    response = examples["result.v1"]["tool_calls"]["body"]["response"]
    calls = ChatCompletion.model_validate(response).choices[0].message.tool_calls or []
    assert [call.id for call in calls] == ["call_00_oNaYFdzFE2LrYatAn7252220"]


def test_a_fim_example_is_asked_and_answered_in_text(examples: Examples):
    answer: Example = examples["result.v1"]["fim"]
    assert Completion.model_validate(answer["body"]["response"]).choices[0].text.startswith("    if n < 2")
