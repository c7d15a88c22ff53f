"""A broken example is refused, by the schema and by the model: they check something."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest
from pydantic import TypeAdapter, ValidationError

from fleet_contracts.printing.examples import Examples
from fleet_contracts.printing.schemas import MODELS

Validators = Mapping[str, jsonschema_rs.Draft202012Validator]

GONE = object()
CHAT = "chat.v1/streamed_with_thinking"

BODIES: list[tuple[str, str, Any]] = [
    (CHAT, "model", GONE),
    (CHAT, "model", ""),
    (CHAT, "model", "deepseek-chat"),
    (CHAT, "model", "deepseek-reasoner"),
    (CHAT, "messages", GONE),
    (CHAT, "messages", []),
    (CHAT, "messages", "hello"),
    (CHAT, "messages.0.role", "developer"),
    (CHAT, "messages.0.role", GONE),
    (CHAT, "messages.0.content", 7),
    (CHAT, "stream", "yes"),
    (CHAT, "stream", 1),
    (CHAT, "thinking", False),
    (CHAT, "thinking.type", "maybe"),
    (CHAT, "max_tokens", 0),
    (CHAT, "temperature", 2.1),
    (CHAT, "top_p", 0),
    (CHAT, "stop", ["x"] * 17),
    (CHAT, "top_logprobs", 21),
    (CHAT, "n", 2),
    (CHAT, "user_id", "u" * 513),
    (CHAT, "tools", {}),
    ("chat.v1/json_mode", "response_format.type", "json_schema"),
    ("fim.v1/minimal", "prompt", GONE),
    ("fim.v1/minimal", "suffix", ["x"]),
    ("fim.v1/minimal", "logprobs", True),
    ("cancel.v1/of_a_request", "", []),
    ("accepted.v1/streamed", "attempt", 0),
    ("accepted.v1/streamed", "queued_ms", -1),
    ("waiting.v1/third_in_line", "position", GONE),
    ("chunk.v1/content", "id", GONE),
    ("chunk.v1/content", "kind", "piece"),
    ("chunk.v1/content", "seq", -1),
    ("chunk.v1/content", "delta", GONE),
    ("chunk.v1/content", "delta.content", 1),
    ("restarted.v1/after_a_lost_worker", "reason", GONE),
    ("result.v1/chat", "response", GONE),
    ("result.v1/chat", "response.object", "chat.completion.chunk"),
    ("result.v1/chat", "response.choices", []),
    ("result.v1/chat", "response.choices.0.message", GONE),
    ("result.v1/chat", "response.choices.0.finish_reason", None),
    ("result.v1/tool_calls", "response.choices.0.message.tool_calls.0.function.name", GONE),
    ("result.v1/fim", "response.choices.0.text", GONE),
    ("result.v1/chat", "digests", GONE),
    ("result.v1/chat", "last_seq", -2),
    ("result.v1/chat", "attempts", 0),
    ("result.v1/chat", "cost.amount", "1e-4"),
    ("result.v1/chat", "cost.amount", 0.5),
    ("result.v1/chat", "timings.total_ms", GONE),
    ("result.v1/chat", "timings.first_content_ms", GONE),
    ("failure.v1/rate_limited", "retryable", GONE),
    ("failure.v1/rate_limited", "message", GONE),
    ("failure.v1/rate_limited", "code", None),
    ("failure.v1/rate_limited", "upstream.status", "busy"),
]

ENVELOPES: list[tuple[str, str, str, Any]] = [
    ("request.properties.v1", CHAT, "correlation_id", GONE),
    ("request.properties.v1", CHAT, "correlation_id", ""),
    ("request.properties.v1", CHAT, "correlation_id", "c" * 256),
    ("request.properties.v1", CHAT, "correlation_id", "a\nb"),
    ("request.properties.v1", CHAT, "reply_to", "deepseek.requests"),
    ("request.properties.v1", CHAT, "type", "chat.v9"),
    ("request.properties.v1", CHAT, "expiration", "1 s"),
    ("request.properties.v1", CHAT, "content_encoding", "gzip"),
    ("request.properties.v1", CHAT, "headers.fleet-tenant", "acme.eu"),
    ("request.properties.v1", CHAT, "headers.fleet-deadline-ms", -1),
    ("request.properties.v1", CHAT, "headers.fleet-deadline-ms", "soon"),
    ("request.properties.v1", CHAT, "headers.fleet-retry", -1),
    ("request.properties.v1", CHAT, "headers.fleet-on-break", "give up"),
    ("cancel.properties.v1", "cancel.v1/of_a_request", "type", GONE),
    ("cancel.properties.v1", "cancel.v1/of_a_request", "correlation_id", GONE),
    ("reply.properties.v1", "chunk.v1/content", "headers.fleet-id", GONE),
    ("reply.properties.v1", "chunk.v1/content", "type", "chunk"),
    ("reply.properties.v1", "chunk.v1/content", "headers.fleet-seq", -1),
    ("dead_letter.properties.v1", "dead_letter.v1/not_json", "headers.fleet-dead-code", GONE),
    ("dead_letter.properties.v1", "dead_letter.v1/not_json", "headers.fleet-dead-at-ms", "now"),
]


def broken(whole: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(whole)
    *way, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    place = changed
    for word in way:
        place = place[word]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return changed


def is_refused_by_the_model(name: str, text: str) -> bool:
    try:
        TypeAdapter(MODELS[name]).validate_json(text)
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize(("example", "path", "value"), BODIES)
def test_a_broken_body_is_refused_by_both(
    example: str, path: str, value: Any, examples: Examples, validators: Validators
):
    name, case = example.split("/")
    body = broken(examples[name][case]["body"], path, value)
    assert not validators[name].is_valid(body)
    assert is_refused_by_the_model(name, json.dumps(body))


@pytest.mark.parametrize(("name", "example", "path", "value"), ENVELOPES)
def test_a_broken_envelope_is_refused_by_both(
    name: str, example: str, path: str, value: Any, examples: Examples, validators: Validators
):
    message, case = example.split("/")
    properties = broken(examples[message][case]["properties"], path, value)
    assert not validators[name].is_valid(properties)
    assert is_refused_by_the_model(name, json.dumps(properties))


def test_a_body_without_any_one_of_its_required_fields_is_refused(
    schemas: Mapping[str, Any], examples: Examples, validators: Validators
):
    for name in set(examples) & set(schemas):
        for example in examples[name].values():
            for field in schemas[name].get("required", []):
                assert not validators[name].is_valid(broken(example["body"], field, GONE)), (name, field)
