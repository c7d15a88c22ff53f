"""Small JSON documents: what JSON mode answers, and arguments that fit a tool's schema."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from fleet_simulator.text import Subject

_DEPTH = 6


def json_answer(subject: Subject, chance: random.Random) -> str:
    """An object about the subject, spread over lines as the model does."""
    document = {
        "topic": subject.topic,
        "summary": f"How to think of {subject.topic} and {subject.other}: café, 漢字, 🙂",
        "points": [subject.topic, subject.other],
        "confidence": round(chance.uniform(0.5, 1.0), 2),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def arguments_for(schema: Mapping[str, Any], subject: Subject, chance: random.Random) -> str:
    """The arguments of a tool call, as JSON that fits the tool's parameters."""
    value = _value(schema, subject, chance, _DEPTH)
    return orjson.dumps(value if isinstance(value, dict) else {}).decode()


def _value(schema: Mapping[str, Any], subject: Subject, chance: random.Random, depth: int) -> object:
    if options := schema.get("anyOf"):
        return _value(cast("Sequence[Mapping[str, Any]]", options)[0], subject, chance, depth)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object" and depth:
        properties = cast("Mapping[str, Mapping[str, Any]]", schema.get("properties", {}))
        return {name: _value(part, subject, chance, depth - 1) for name, part in properties.items()}
    if kind == "array" and depth:
        item = cast("Mapping[str, Any]", schema.get("items", {"type": "string"}))
        return [_value(item, subject, chance, depth - 1)]
    return _scalar(kind, schema, subject, chance)


def _scalar(kind: str, schema: Mapping[str, Any], subject: Subject, chance: random.Random) -> object:
    if choices := schema.get("enum"):
        return chance.choice(cast("Sequence[object]", choices))
    match kind:
        case "integer" | "number":
            return chance.randint(schema.get("minimum", 1), schema.get("maximum", 100))
        case "boolean":
            return chance.choice((True, False))
        case "string":
            return chance.choice((subject.topic, subject.other))
        case _:
            return None
