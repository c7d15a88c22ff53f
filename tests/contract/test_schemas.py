"""The schemas are good schemas, and say the same as the models."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest

from fleet_contracts.printing.examples import Examples
from fleet_contracts.printing.messages import REPLIES
from fleet_contracts.printing.schemas import ID_PREFIX, MODELS

Validators = Mapping[str, jsonschema_rs.Draft202012Validator]


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    yield from schema.get("$defs", {}).values()


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_follows_json_schema_2020_12_and_is_named_by_no_host(name: str, schemas: Mapping[str, Any]):
    schema = schemas[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == ID_PREFIX + name
    jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize("name", MODELS)
def test_every_field_has_a_title_and_a_description(name: str, schemas: Mapping[str, Any]):
    for part in parts(schemas[name]):
        assert part.get("description"), part.get("title")
        for field, described in part.get("properties", {}).items():
            assert {"title", "$ref"} & set(described), field
            assert described.get("description"), field


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_needs_its_kind(name: str, schemas: Mapping[str, Any]):
    assert {"kind", "id"} <= set(schemas[name]["required"])


@pytest.mark.parametrize("name", [*REPLIES, "reply.v1"])
def test_no_reply_is_refused_for_a_field_of_a_later_release(name: str, schemas: Mapping[str, Any]):
    assert [part["title"] for part in parts(schemas[name]) if part.get("additionalProperties") is False] == []


def test_a_failure_with_a_code_of_a_later_release_is_a_failure(examples: Examples, validators: Validators):
    body = {**examples["failure.v1"]["rate_limited"]["body"], "code": "moon_eclipsed"}
    assert validators["failure.v1"].is_valid(body)
    assert validators["reply.v1"].is_valid(body)
    assert not validators["failure.v1"].is_valid({**body, "code": 7})


def test_a_reply_of_a_later_kind_is_a_reply_and_a_known_kind_must_be_whole(validators: Validators):
    assert validators["reply.v1"].is_valid({"kind": "applauded", "id": "a:applauded"})
    assert not validators["reply.v1"].is_valid({"kind": "chunk", "id": "a:r:1:0"})
    assert not validators["reply.v1"].is_valid({"id": "a:r:1:0"})
