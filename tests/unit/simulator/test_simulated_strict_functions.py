"""Strict functions: which schemas are refused, and what a call's arguments are made of."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_simulator.refusals import Refusal
from fleet_simulator.strict_schema import broken_strict_rules
from fleet_simulator.text import subject_of
from fleet_simulator.tool_arguments import arguments_for
from fleet_simulator.tool_rules import Rules
from fleet_simulator.validation import validated_chat

USER = {"role": "user", "content": "Hello"}
OBJECT = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
BETA = Rules(beta=True)


def tool(name: str = "f", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


def refusal(rules: Rules = BETA, **changes: Any) -> str | None:
    body = {"model": "deepseek-flash", "messages": [USER], "tools": [tool()], **changes}
    try:
        validated_chat(orjson.dumps(body), rules)
    except Refusal as refused:
        return orjson.loads(refused.body)["error"]["message"]
    return None


def test_strict_functions_need_the_beta_address() -> None:
    strict = [tool(strict=True, parameters=OBJECT)]
    assert "beta" in (refusal(Rules(), tools=strict) or "")
    assert refusal(tools=strict) is None
    assert refusal(Rules(), tools=[tool(strict=False, parameters=OBJECT)]) is None


def test_all_functions_are_strict_or_none_is() -> None:
    mixed = [tool("f", strict=True, parameters=OBJECT), tool("g", parameters=OBJECT)]
    assert refusal(tools=mixed) == "strict must be set to true for all functions or for none"


def with_city(schema: object) -> dict[str, Any]:
    return {**OBJECT, "properties": {"city": schema}}


BROKEN_SCHEMAS: list[tuple[dict[str, Any], str]] = [
    ({"type": "object", "properties": {}, "additionalProperties": False}, "no properties is not allowed"),
    ({**OBJECT, "required": []}, "field `required`: must name every property in strict mode, but not `city`"),
    ({**OBJECT, "additionalProperties": True}, "field `additionalProperties`: must be false in strict mode"),
    (
        {**OBJECT, "additionalProperties": {}},
        "field `additionalProperties`: invalid type: map, expected a boolean",
    ),
    (with_city({}), "field `properties`: one of `type`, `anyOf`, `$ref` field is required"),
    (
        with_city({"anyOf": [{"const": 1}]}),
        "field `anyOf`: one of `type`, `anyOf`, `$ref` field is required",
    ),
    (
        with_city({"type": ["object", "null"]}),
        (
            "field `type`: unknown variant `object`, expected one of `string`, `number`, `integer`, "
            "`boolean`, `null`"
        ),
    ),
    (
        with_city({"type": "string", "format": "uri"}),
        (
            "field `format`: unknown variant `uri`, expected one of `email`, `hostname`, `ipv4`, `ipv6`, "
            "`uuid`"
        ),
    ),
    (with_city({"type": "string", "minLength": 1}), "field `minLength`: not supported in strict mode"),
    (with_city({"type": "array", "items": {"type": "string"}, "maxItems": 2}), "field `maxItems`: not supp"),
    (with_city({"type": "array", "items": with_city({})}), "field `properties`: one of"),
    ({**OBJECT, "$defs": {"part": {"type": "object"}}}, "no properties is not allowed"),
]


@pytest.mark.parametrize(("parameters", "text"), BROKEN_SCHEMAS)
def test_a_schema_outside_of_the_strict_part_is_refused(parameters: object, text: str) -> None:
    told = refusal(tools=[tool(strict=True, parameters=parameters)]) or ""
    assert told.startswith("Invalid tool parameters schema : field `")
    assert text in told
    assert refusal(tools=[tool(parameters=parameters)]) is None


TREE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "root": {"$ref": "#/$defs/node"},
        "mail": {"type": "string", "format": "email"},
        "size": {"type": "integer", "minimum": 200, "maximum": 210},
        "unit": {"enum": ["m", "km"], "type": "string"},
        "note": {"type": ["string", "null"]},
    },
    "required": ["root", "mail", "size", "unit", "note"],
    "additionalProperties": False,
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "child": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["name", "child"],
            "additionalProperties": False,
        }
    },
}


def test_a_rich_schema_is_let_through_and_its_arguments_fit_it() -> None:
    assert refusal(tools=[tool(strict=True, parameters=TREE)]) is None
    arguments = _arguments(TREE)
    assert arguments["mail"] == "ada@example.com"
    assert 200 <= arguments["size"] <= 210
    assert arguments["unit"] in {"m", "km"}
    node = arguments["root"]
    while node["child"] is not None:
        assert set(node) == {"name", "child"}
        node = node["child"]


@pytest.mark.parametrize("keyword", ["enum", "examples"])
def test_of_an_enum_or_of_examples_the_one_is_taken_that_the_question_names(keyword: str) -> None:
    cities = {"type": "string", keyword: ["Oslo A-1", "Kyoto A-2", "Lima A-3"]}
    assert _arguments(with_city(cities))["city"] == "Kyoto A-2"
    assert _arguments(with_city({**cities, keyword: ["Oslo", "Lima"]}))["city"] in {"Oslo", "Lima"}


def test_a_list_has_as_many_items_as_it_must_have() -> None:
    cities: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 3}
    assert len(_arguments(with_city(cities))["city"]) == 3
    assert len(_arguments(with_city({**cities, "minItems": 0}))["city"]) == 1


def _arguments(schema: Any) -> Any:
    request = validated_chat(orjson.dumps({"model": "deepseek-flash", "messages": [USER]}), BETA)
    return orjson.loads(arguments_for(schema, subject_of("Where is Kyoto?"), request.chance()))


@pytest.mark.parametrize(
    ("bounds", "low", "high"),
    [
        ({"minimum": 500}, 500, 500),
        ({"maximum": -3}, -3, -3),
        ({"exclusiveMinimum": 4, "exclusiveMaximum": 6}, 5, 5),
        ({"minimum": 7, "multipleOf": 5}, 10, 10),
        ({"minimum": 0.5, "maximum": 0.6}, 0.5, 0.6),
    ],
)
def test_numbers_stay_within_their_bounds(bounds: dict[str, float], low: float, high: float) -> None:
    assert low <= _arguments(with_city({"type": "number", **bounds}))["city"] <= high


NAMES = st.sampled_from(["object", "array", "integer", "#/$defs/a", "email"])
KEYWORDS = st.sampled_from(
    [
        *("type", "properties", "items", "anyOf", "$ref", "required", "a"),
        *("minimum", "exclusiveMaximum", "multipleOf", "enum", "const", "format"),
    ]
)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_no_schema_however_odd_is_too_much(schema: Any) -> None:
    assert all(isinstance(text, str) for text in broken_strict_rules(schema))
    odd: Any = {"type": "object", "properties": {"a": schema}, "$defs": {"a": schema}}
    assert isinstance(_arguments(odd), dict)
