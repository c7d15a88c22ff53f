"""Which parameters a strict function may have: a part of JSON Schema, with every property required.

Source: api-docs.deepseek.com, "Tool Calls", strict mode. Texts seen on the real API are marked [seen].
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

Json = Mapping[str, Any]

_SCALARS = ("string", "number", "integer", "boolean", "null")
_TYPES = (*_SCALARS, "object", "array")
_FORMATS = ("email", "hostname", "ipv4", "ipv6", "uuid")
_UNSUPPORTED = (
    *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "patternProperties"),
    *("allOf", "oneOf", "not", "if"),
)
_DEFINITIONS = ("$defs", "$def", "definitions")
_DEEPEST = 64


def broken_strict_rules(parameters: object) -> Iterator[str]:
    """The texts of the rules that a strict function's parameters break, the first one first."""
    for field, why in _broken(parameters, "parameters", 0):
        yield f"Invalid tool parameters schema : field `{field}`: {why}"


def _broken(schema: object, field: str, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        yield field, "invalid type, expected a map"
        return
    if depth > _DEEPEST:
        yield field, "the schema is nested too deep"
        return
    part = cast("Json", schema)
    yield from _broken_keywords(part, field)
    if "object" in _types(part):
        yield from _broken_object(part, field)
    for keyword, inner in _inner(part):
        yield from _broken(inner, keyword, depth + 1)


def _broken_keywords(schema: Json, field: str) -> Iterator[tuple[str, str]]:
    if not schema.keys() & {"type", "anyOf", "$ref"}:
        yield field, "one of `type`, `anyOf`, `$ref` field is required"  # [seen]
    allowed = _SCALARS if isinstance(schema.get("type"), list) else _TYPES
    for name in _types(schema):
        if name not in allowed:
            yield "type", _unknown(name, allowed)  # [seen]
    if (name := schema.get("format")) is not None and name not in _FORMATS:
        yield "format", _unknown(name, _FORMATS)  # [seen]
    for keyword in _UNSUPPORTED:
        if keyword in schema:
            yield keyword, "not supported in strict mode"


def _broken_object(schema: Json, field: str) -> Iterator[tuple[str, str]]:
    properties = _map(schema.get("properties"))
    if not properties:
        yield field, "An object with no properties is not allowed"  # [seen]
    closed = schema.get("additionalProperties")
    if isinstance(closed, dict):
        yield "additionalProperties", "invalid type: map, expected a boolean"  # [seen]
    elif closed is not False:
        yield "additionalProperties", "must be false in strict mode"
    required = _list(schema.get("required"))
    for name in properties:
        if name not in required:
            yield "required", f"must name every property in strict mode, but not `{name}`"


def _inner(schema: Json) -> Iterator[tuple[str, object]]:
    for inner in _map(schema.get("properties")).values():
        yield "properties", inner
    if "items" in schema:
        yield "items", schema["items"]
    for inner in _list(schema.get("anyOf")):
        yield "anyOf", inner
    for keyword in _DEFINITIONS:
        for inner in _map(schema.get(keyword)).values():
            yield keyword, inner


def _types(schema: Json) -> list[object]:
    named: object = schema.get("type")
    return _list(named) or ([] if named is None else [named])


def _unknown(name: object, known: tuple[str, ...]) -> str:
    return f"unknown variant `{name}`, expected one of {', '.join(f'`{one}`' for one in known)}"


def _map(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
