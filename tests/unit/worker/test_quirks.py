"""A request's body as servers want it that are not quite like DeepSeek."""

from typing import Any

import orjson
import pytest

from fleet_worker.deepseek.quirks import DEEPSEEK, KINDS, payload_of
from fleet_worker.deepseek.users import Users
from fleet_worker.prices import tokens_of
from harness.requests import a_request

MESSAGES = [{"role": "user", "content": "Hi"}]
BEGUN = {"role": "assistant", "content": "He", "prefix": True}


def sent(kind: str, *, stream: bool = False, **body: Any) -> dict[str, Any]:
    request = a_request(body={"model": "deepseek-flash", "messages": MESSAGES, **body}, stream=stream)
    own = KINDS[kind].but(models={"deepseek-flash": "ours"})
    return orjson.loads(payload_of(request, own, Users()))


def test_deepseek_gets_the_callers_own_bytes():
    request = a_request(body={"model": "deepseek-flash"}, payload=b'{"model":  "deepseek-flash"}')
    assert payload_of(request, DEEPSEEK, Users()) is request.payload


def test_a_model_goes_under_the_servers_own_name():
    assert sent("deepseek", user_id="u") == {"model": "ours", "messages": MESSAGES, "user_id": "u"}


@pytest.mark.parametrize(
    ("body", "thinks"),
    [
        ({}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"reasoning_effort": "none"}, False),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, True),
    ],
)
def test_thinking_is_switched_by_the_chat_template(body: dict[str, Any], thinks: bool):
    assert sent("vllm", user_id="u", **body) == {
        "model": "ours",
        "messages": MESSAGES,
        "chat_template_kwargs": {"thinking": thinks},
    }


def test_what_the_caller_says_to_the_template_stays():
    given = {"thinking": False, "other": 1}
    assert sent("sglang", chat_template_kwargs=given)["chat_template_kwargs"] == given


def test_an_answer_that_was_begun_is_continued_as_the_server_knows_it():
    body = sent("vllm", messages=[*MESSAGES, BEGUN])
    assert body["messages"] == [*MESSAGES, {"role": "assistant", "content": "He"}]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_usage_is_asked_for_where_it_is_not_told_otherwise():
    assert sent("openai", stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent("openai")


def test_a_server_of_any_kind_gets_no_field_that_it_does_not_know():
    assert sent("openai", user_id="u", thinking={"type": "enabled"}, reasoning_effort="low") == {
        "model": "ours",
        "messages": MESSAGES,
    }


def test_cached_tokens_are_read_where_openai_tells_them():
    assert tokens_of({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}) == (9, 4, 0)
    assert tokens_of({"prompt_tokens": 9, "prompt_tokens_details": None}) == (9, 0, 0)
