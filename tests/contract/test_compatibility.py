"""No release breaks who was written for an earlier one: the rules of contracts/README.md, and the schemas."""

import copy
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.compatibility import Side, breaks
from harness.last_release import SCHEMAS, breaks_since, schemas_of_the_last_release, side_of

ROOT = Path(__file__).parents[2]
TEXT, NUMBER, COUNT = {"type": "string"}, {"type": "number"}, {"type": "integer"}
MAYBE = {"anyOf": [TEXT, {"type": "null"}]}


def an_object(required: str = "", **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required.split()}


def kinds(*names: str) -> dict[str, Any]:
    known = [an_object("kind", kind={"type": "string", "const": name}) for name in names]
    later = {"type": "string", "not": {"enum": list(names)}}
    return {"oneOf": [*known, an_object("kind", kind=later)]}


def codes(*names: str) -> dict[str, Any]:
    return an_object("code", code={"anyOf": [{"type": "string", "enum": list(names)}, TEXT]})


def tree(**more: Any) -> dict[str, Any]:
    node = an_object("name", name=TEXT, inner={"type": "array", "items": {"$ref": "#/$defs/Node"}}, **more)
    return {"$ref": "#/$defs/Node", "$defs": {"Node": node}}


ONE = an_object("a", a=TEXT, b=COUNT)

MAY_CHANGE_IN_A_REQUEST = {
    "a new optional field": (ONE, an_object("a", a=TEXT, b=COUNT, c=NUMBER)),
    "a field that is no longer required": (ONE, an_object("", a=TEXT, b=COUNT)),
    "a wider type": (ONE, an_object("a", a=MAYBE, b=NUMBER)),
    "a wider range": (an_object(a={**COUNT, "minimum": 1}), an_object(a={**COUNT, "minimum": 0})),
    "no limit any more": (an_object(a={**TEXT, "maxLength": 9}), an_object(a=TEXT)),
    "one more choice": (an_object(a={"enum": ["x"]}), an_object(a={"enum": ["x", "y"]})),
    "a refused value less": (
        an_object(a={**TEXT, "not": {"enum": ["x", "y"]}}),
        an_object(a={**TEXT, "not": {"enum": ["x"]}}),
    ),
    "unknown fields let in": ({**ONE, "additionalProperties": False}, ONE),
    "other words": ({**ONE, "description": "this"}, {**ONE, "description": "that"}),
    "a new optional field inside itself": (tree(), tree(size=COUNT)),
}
MAY_NOT_CHANGE_IN_A_REQUEST = {
    "a field is gone": (ONE, an_object("a", a=TEXT), [".b: the field is gone"]),
    "a field is renamed": (
        ONE,
        an_object("z", z=TEXT, b=COUNT),
        [".a: the field is gone", ".z: is required now"],
    ),
    "a field is required now": (ONE, an_object("a b", a=TEXT, b=COUNT), [".b: is required now"]),
    "a new field is required": (ONE, an_object("a c", a=TEXT, b=COUNT, c=TEXT), [".c: is required now"]),
    "a narrower type": (
        an_object(a=MAYBE, b=NUMBER),
        an_object(a=TEXT, b=COUNT),
        [".a: null does not fit string", ".b: number does not fit integer"],
    ),
    "a narrower range": (
        an_object(a=COUNT),
        an_object(a={**COUNT, "maximum": 9}),
        [".a: maximum is 9 on one side and None on the other"],
    ),
    "a shorter text": (
        an_object(a={**TEXT, "maxLength": 9}),
        an_object(a={**TEXT, "maxLength": 8}),
        [".a: maxLength is 8 on one side and 9 on the other"],
    ),
    "a pattern": (
        an_object(a=TEXT),
        an_object(a={**TEXT, "pattern": "^x"}),
        [".a: the pattern is another one"],
    ),
    "a choice less": (
        an_object(a={"enum": ["x", "y"]}),
        an_object(a={"enum": ["x"]}),
        [".a: ['x', 'y'] does not fit ['x']"],
    ),
    "one more refused value": (
        an_object(a=TEXT),
        an_object(a={**TEXT, "not": {"enum": ["x"]}}),
        [".a: what is refused on one side is not on the other"],
    ),
    "another default": (
        an_object(a={**COUNT, "default": 0}),
        an_object(a={**COUNT, "default": 1}),
        [".a: leaving it out means something else"],
    ),
    "unknown fields refused": (
        ONE,
        {**ONE, "additionalProperties": False},
        [".*: what is refused on one side is not on the other"],
    ),
    "a narrower item of a list": (
        an_object(a={"type": "array", "items": TEXT}),
        an_object(a={"type": "array", "items": COUNT}),
        [".a[]: string does not fit integer"],
    ),
    "a field inside itself is required": (
        tree(size=COUNT),
        {
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {**tree(size=COUNT)["$defs"]["Node"], "required": ["size"]}},
        },
        [".size: is required now"],
    ),
}
MAY_CHANGE_IN_A_REPLY = {
    "a new field": (ONE, an_object("a", a=TEXT, b=COUNT, c=TEXT)),
    "a new field that always comes": (ONE, an_object("a c", a=TEXT, b=COUNT, c=TEXT)),
    "a field that always comes now": (ONE, an_object("a b", a=TEXT, b=COUNT)),
    "a new kind": (kinds("chunk"), kinds("chunk", "applauded")),
    "a new code": (codes("internal"), codes("internal", "moon_eclipsed")),
    "a narrower type": (an_object(a=MAYBE), an_object(a=TEXT)),
}
MAY_NOT_CHANGE_IN_A_REPLY = {
    "a field is gone": (ONE, an_object("a", a=TEXT), [".b: the field is gone"]),
    "a field may be missing": (ONE, an_object("", a=TEXT, b=COUNT), [".a: is no longer sure to come"]),
    "a field may be null": (ONE, an_object("a", a=MAYBE, b=COUNT), [".a: null does not fit string"]),
    "a field of a kind is gone": (
        {"oneOf": [an_object("kind text", kind={"const": "chunk"}, text=TEXT)]},
        {"oneOf": [an_object("kind", kind={"const": "chunk"})]},
        [".text: the field is gone", ".text: is no longer sure to come"],
    ),
    "a closed choice has one more": (
        an_object(a={"enum": ["x"]}),
        an_object(a={"enum": ["x", "y"]}),
        [".a: ['x', 'y'] does not fit ['x']"],
    ),
}


@pytest.mark.parametrize("case", MAY_CHANGE_IN_A_REQUEST)
def test_what_may_change_in_a_request(case: str):
    assert breaks(*MAY_CHANGE_IN_A_REQUEST[case], Side.REQUEST) == []


@pytest.mark.parametrize("case", MAY_NOT_CHANGE_IN_A_REQUEST)
def test_what_may_not_change_in_a_request(case: str):
    old, new, sentences = MAY_NOT_CHANGE_IN_A_REQUEST[case]
    assert breaks(old, new, Side.REQUEST) == sentences


@pytest.mark.parametrize("case", MAY_CHANGE_IN_A_REPLY)
def test_what_may_change_in_a_reply(case: str):
    assert breaks(*MAY_CHANGE_IN_A_REPLY[case], Side.REPLY) == []


@pytest.mark.parametrize("case", MAY_NOT_CHANGE_IN_A_REPLY)
def test_what_may_not_change_in_a_reply(case: str):
    old, new, sentences = MAY_NOT_CHANGE_IN_A_REPLY[case]
    assert breaks(old, new, Side.REPLY) == sentences


def test_a_schema_is_compatible_with_itself_and_every_field_of_ours_is_missed(schemas: Mapping[str, Any]):
    for name, schema in schemas.items():
        assert breaks(schema, schema, side_of(name)) == []
        for field, less in without_each_field(schema):
            gone = f".{field}: the field is gone"
            assert [each for each in breaks(schema, less, side_of(name)) if each.endswith(gone)], (
                name,
                field,
            )


def without_each_field(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every field of the body itself or of a part that it refers to, and the schema without it."""
    owners = [(), *(("$defs", part) for part in schema.get("$defs", {}))]
    for owner in owners:
        for field in part_of(schema, owner).get("properties", {}):
            less = copy.deepcopy(schema)
            del part_of(less, owner)["properties"][field]
            yield field, less


def part_of(schema: Any, owner: tuple[str, ...]) -> Any:
    return schema if not owner else schema[owner[0]][owner[1]]


def test_a_keyword_that_no_rule_knows_is_not_waved_through():
    with pytest.raises(ValueError, match="no rule says what a change of 'multipleOf' means"):
        breaks(COUNT, {**COUNT, "multipleOf": 2}, Side.REQUEST)


def test_the_last_release_is_the_newest_tag(tmp_path: Path):
    assert schemas_of_the_last_release(tmp_path) == {}
    folder = tmp_path / SCHEMAS
    folder.mkdir(parents=True)
    git(tmp_path, "init", "--quiet")
    for tag, schema in (("v0.1.0", ONE), ("v0.2.0", an_object("a", a=TEXT, b=COUNT, c=TEXT)), ("", ONE)):
        (folder / "chat.v1.json").write_text(json.dumps(schema))
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", "A release")
        if tag:
            git(tmp_path, "tag", tag)
    released = schemas_of_the_last_release(tmp_path)
    assert set(released["chat.v1"]["properties"]) == {"a", "b", "c"}
    assert breaks_since(released, {"chat.v1": ONE}) == ["chat.v1.c: the field is gone"]
    assert breaks_since(released, {}) == ["chat.v1: the schema is gone"]


def git(folder: Path, *arguments: str) -> None:
    settings = ("user.name=Somebody", "user.email=somebody@example.org", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *(word for each in settings for word in ("-c", each)), *arguments]
    subprocess.run(command, check=True, capture_output=True)


def test_nothing_in_the_schemas_breaks_who_was_written_for_the_last_release(schemas: Mapping[str, Any]):
    assert breaks_since(schemas_of_the_last_release(ROOT), dict(schemas)) == []
