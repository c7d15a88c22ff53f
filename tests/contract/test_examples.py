"""Every example is what it says, in the eyes of two implementations, and could have crossed the wire."""

import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from inspect import signature
from typing import Any

import jsonschema_rs
from pydantic import TypeAdapter

from fleet_contracts.grammar import DEFAULT_TENANT, is_tenant, lane_and_tenant, results_key
from fleet_contracts.headers import ATTEMPT, CONVERSATION, ID, SEQ, TENANT
from fleet_contracts.printing.examples import Example, Examples
from fleet_contracts.printing.messages import REPLIES, REQUESTS
from fleet_contracts.printing.schemas import MODELS
from fleet_contracts.reply import (
    KINDS,
    accepted_id,
    chunk_id,
    final_id,
    id_base,
    message_type,
    refused_id,
    restarted_id,
)
from fleet_contracts.topology import REQUESTS as REQUESTS_EXCHANGE
from fleet_contracts.topology import RESULTS, topology

Validators = Mapping[str, jsonschema_rs.Draft202012Validator]


def of_every_example(test: Callable[..., None]) -> Callable[..., None]:
    """Run what asks for a `message` and an `example` on all of them; the one that fails is named.

    As one test: pytest takes longer to begin one than most of these take.
    """

    def on_all(examples: Examples, validators: Validators) -> None:
        fixtures = {"validators": validators} if "validators" in signature(test).parameters else {}
        for message, cases in examples.items():
            for case, example in cases.items():
                try:
                    test(message=message, example=example, **fixtures)
                except Exception as wrong:
                    raise AssertionError(f"{message}/{case}") from wrong

    on_all.__name__ = test.__name__
    return on_all


def envelope_of(message: str) -> str:
    if message in REPLIES:
        return "reply.properties.v1"
    return "request.properties.v1" if message in REQUESTS else f"{message.removesuffix('.v1')}.properties.v1"


def is_reply(message: str) -> bool:
    return message in REPLIES


@of_every_example
def test_an_example_has_the_four_parts_of_a_message(message: str, example: Example):
    body = "body_text" if "body_text" in example else "body"
    assert set(example) == {"exchange", "routing_key", "properties", body}
    assert message == "dead_letter.v1" or body == "body"


@of_every_example
def test_the_schemas_accept_an_example(message: str, example: Example, validators: Validators):
    validators[envelope_of(message)].validate(example["properties"])
    if message in validators:
        validators[message].validate(example["body"])
    if is_reply(message):
        validators["reply.v1"].validate(example["body"])


@of_every_example
def test_the_models_accept_an_example(message: str, example: Example):
    TypeAdapter(MODELS[envelope_of(message)]).validate_python(example["properties"])
    if message in MODELS:
        TypeAdapter(MODELS[message]).validate_json(json.dumps(example["body"]))


@of_every_example
def test_a_message_is_published_where_something_takes_it(message: str, example: Example):
    parts = topology()
    exchanges = {exchange.name for exchange in parts.exchanges}
    queues = {queue.name for queue in parts.queues}
    if example["exchange"]:
        assert example["exchange"] in exchanges
    elif is_reply(message):
        assert example["routing_key"].startswith("deepseek.reply.acme.")
    else:
        assert example["routing_key"] in queues


@of_every_example
def test_a_message_is_published_under_its_own_type_or_the_default_one(message: str, example: Example):
    if message != "dead_letter.v1":
        assert example["properties"].get("type", "chat.v1") == message


@of_every_example
def test_a_request_s_key_names_its_tenant(message: str, example: Example):
    if example["exchange"] == REQUESTS_EXCHANGE:
        lane, tenant = lane_and_tenant(example["routing_key"])
        assert example["routing_key"] == f"{lane}.{tenant}"
        assert is_tenant(tenant or DEFAULT_TENANT)
        assert example["properties"].get("headers", {}).get(TENANT, tenant) == tenant, message


@of_every_example
def test_a_reply_s_headers_repeat_its_body(message: str, example: Example):
    if not is_reply(message):
        return
    headers, body = example["properties"]["headers"], example["body"]
    assert headers[ID] == body["id"]
    assert headers.get(SEQ) == body.get("seq")
    assert message_type(body["kind"]) == message
    if ATTEMPT in headers:
        assert headers[ATTEMPT] == body.get("attempt", body.get("attempts"))


@of_every_example
def test_a_reply_s_id_is_spelt_as_the_code_spells_it(message: str, example: Example):
    if not is_reply(message):
        return
    body, cid = example["body"], example["properties"]["correlation_id"]
    run, last = body["id"].split(":")[1], body["id"].rpartition(":")[2]
    possible = {
        accepted_id(cid),
        f"{cid}:waiting:{last}",
        chunk_id(cid, run, body.get("attempt", 0), body.get("seq", 0)),
        restarted_id(cid, run, body.get("attempt", 0)),
        final_id(cid),
        final_id(id_base(cid, 1)),
        refused_id(cid, last),
    }
    assert body["id"] in possible


@of_every_example
def test_a_copy_on_the_results_is_keyed_by_kind_tenant_and_model(message: str, example: Example):
    if example["exchange"] == RESULTS:
        kind, tenant, model = example["routing_key"].split(".")
        assert kind in KINDS
        assert results_key(kind, tenant, model) == example["routing_key"], message


@of_every_example
def test_a_result_s_digests_are_those_of_its_texts(message: str, example: Example):
    if message != "result.v1":
        return
    choice = example["body"]["response"]["choices"][0]
    told = choice.get("message", {"content": choice.get("text")})
    texts = {name: told.get(name) for name in ("content", "reasoning_content")}
    for number, call in enumerate(told.get("tool_calls", [])):
        texts[f"tool_calls.{number}.arguments"] = call["function"]["arguments"]
    assert example["body"]["digests"] == {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items() if text is not None
    }


@of_every_example
def test_a_result_s_numbers_add_up(message: str, example: Example):
    if message != "result.v1":
        return
    usage, timings = example["body"]["response"]["usage"], example["body"]["timings"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] == usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"]
    assert Decimal(example["body"]["cost"]["amount"]) > 0
    assert timings["total_ms"] >= timings["upstream_ms"] >= (timings["first_content_ms"] or 0)


def test_the_copy_of_a_reply_differs_in_its_message_id_and_place_alone(examples: Examples):
    for message, case, copy in (
        ("result.v1", "chat", "copy_on_results"),
        ("failure.v1", "insufficient_balance", "copy_on_results"),
    ):
        one, other = examples[message][case], examples[message][copy]
        assert one["body"] == other["body"]
        assert one["properties"]["headers"] == other["properties"]["headers"]
        assert one["properties"]["message_id"] != other["properties"]["message_id"]


def test_no_two_publishes_share_a_message_id(examples: Examples):
    ids = [
        example["properties"]["message_id"]
        for cases in examples.values()
        for example in cases.values()
        if "message_id" in example["properties"]
    ]
    assert len(ids) == len(set(ids))


def test_the_examples_show_every_field_of_a_chat_and_of_a_reply(examples: Examples):
    def shown(message: str) -> set[Any]:
        return {field for example in examples[message].values() for field in example["body"]}

    # Their meaning is DeepSeek's own, and nobody needs an example to find them.
    plain = {"frequency_penalty", "presence_penalty", "n"}
    for message in ("chat.v1", *REPLIES):
        assert set(MODELS[message].model_fields) - shown(message) - plain == set()
    used = {
        header
        for example in examples["chat.v1"].values()
        for header in example["properties"].get("headers", {})
    }
    assert CONVERSATION in used
