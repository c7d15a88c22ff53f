"""Arguments of a tool call that fit the tool's schema. Only `pattern` is not obeyed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, cast

import orjson

from fleet_simulator.text import Subject, words_in

Json = Mapping[str, Any]

_DEPTH = 8
_SHALLOW = 2
_LEAST, _MOST = 1, 100
_MOST_ITEMS = 20
_FURTHEST = 2**53
_FORMATS = {
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "6f8f57a2-6c0e-4c0a-9a52-2f1d5b3c7e41",
    "date": "2026-11-23",
    "date-time": "2026-11-23T12:00:00Z",
    "uri": "https://example.com/",
}


def arguments_for(schema: Json, subject: Subject, chance: random.Random) -> str:
    """The arguments of a tool call, as JSON that fits the tool's parameters."""
    value = _Writer(schema, subject, chance).value(schema, _DEPTH)
    return orjson.dumps(value if isinstance(value, dict) else {}).decode()


@dataclass(frozen=True, slots=True)
class _Writer:
    root: Json
    subject: Subject
    chance: random.Random

    def value(self, schema: Json, depth: int) -> object:
        if depth and (reference := schema.get("$ref")):
            return self.value(self._referred(reference), depth - 1)
        if depth and (options := _schemas(schema.get("anyOf"))):
            return self.value(_choose(options, depth), depth - 1)
        if "const" in schema:
            return schema["const"]
        if choices := _list(schema.get("enum")) or _list(schema.get("examples")):
            return self.chance.choice(self._asked_for(choices))
        return self._of_type(_type_of(schema), schema, depth)

    def _of_type(self, name: object, schema: Json, depth: int) -> object:
        match name:
            case "object":
                properties = _map(schema.get("properties")) if depth else {}
                return {key: self.value(_map(part), depth - 1) for key, part in properties.items()}
            case "array":
                wanted = max(int(depth > _SHALLOW + 1), self._least_items(schema))
                return [self.value(_map(schema.get("items")), depth - 1) for _ in range(wanted)]
            case "integer" | "number":
                return self._number(schema)
            case "boolean":
                return self.chance.choice((True, False))
            case "string":
                words = (self.subject.topic, self.subject.other)
                return _FORMATS.get(str(schema.get("format")), self.chance.choice(words))
            case _:
                return None

    def _number(self, schema: Json) -> float:
        least = _bound(schema, "minimum", "exclusiveMinimum", 1)
        most = _bound(schema, "maximum", "exclusiveMaximum", -1)
        low = ceil(least if least is not None else min(_LEAST, most if most is not None else _LEAST))
        high = floor(most if most is not None else max(_MOST, low))
        step = schema.get("multipleOf")
        if isinstance(step, int | float) and 0 < step < _FURTHEST:
            return ceil(low / step) * step
        return self.chance.randint(low, high) if low <= high else cast("float", least)

    def _asked_for(self, choices: list[object]) -> list[object]:
        """Those that share most words with the question; where none does, all."""
        shared = [len(self.subject.words & words_in(str(choice))) for choice in choices]
        return [choice for choice, count in zip(choices, shared, strict=True) if count == max(shared)]

    def _least_items(self, schema: Json) -> int:
        least = schema.get("minItems")
        return min(least, _MOST_ITEMS) if isinstance(least, int) else 0

    def _referred(self, reference: object) -> Json:
        found: object = self.root
        for name in str(reference).removeprefix("#").split("/"):
            found = _map(found).get(name) if name else found
        return _map(found)


def _choose(options: list[Json], depth: int) -> Json:
    # Near the bottom what does not nest is better, so that a schema that holds itself comes to an end.
    flat = [option for option in options if _type_of(option) not in ("object", "array", None)]
    return flat[0] if flat and depth <= _SHALLOW else options[0]


def _type_of(schema: Json) -> object:
    named = schema.get("type")
    if isinstance(named, list):
        return cast("list[object]", named)[0] if named else None
    if named is None and "$ref" not in schema and "anyOf" not in schema:
        return "object" if "properties" in schema else "string"
    return named


def _bound(schema: Json, inclusive: str, exclusive: str, inwards: int) -> float | None:
    for keyword, inside in ((inclusive, 0), (exclusive, inwards)):
        found = schema.get(keyword)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return max(-_FURTHEST, min(_FURTHEST, found + inside))
    return None


def _map(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _schemas(value: object) -> list[Json]:
    return [_map(option) for option in _list(value)]


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
